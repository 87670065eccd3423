"""What is odd about an answer."""

import gzip
from typing import Any

import pytest

from replayproxy.content_coding import Decoder
from replayproxy.oddities import oddities
from tests.builders import DONE, EVENTS, JSON, a_head, a_request, an_exchange, chunks, says

STREAMING = b'{"stream": true}'
GZIP = (*EVENTS, ("content-encoding", "gzip"))


@pytest.mark.parametrize(
    ("asked", "headers", "body", "expected"),
    [
        (STREAMING, EVENTS, says("a") + DONE, ()),
        (STREAMING, EVENTS, b"", ()),
        (STREAMING, JSON, b"{}", ("not_sse",)),
        (STREAMING, (), b"", ("not_sse",)),
        (b'{"stream": false}', JSON, b"{}", ()),
        (b"", (("content-type", "audio/mpeg"),), b"\xff\xfe", ()),
        (STREAMING, EVENTS, says("a") + DONE[:-1], ("unterminated",)),
        (STREAMING, EVENTS, DONE[:-2], ("unterminated",)),
        (STREAMING, EVENTS, b"data: \xff\n\n", ("not_utf8",)),
        (STREAMING, EVENTS, b"data: \xff", ("not_utf8", "unterminated")),
        (STREAMING, GZIP, gzip.compress(DONE, mtime=0), ()),
        (STREAMING, GZIP, gzip.compress(DONE[:-1], mtime=0), ("unterminated",)),
        (STREAMING, GZIP, DONE, ("not_decoded",)),
        (STREAMING, (*JSON, ("content-encoding", "rot13")), b"x", ("not_sse", "not_decoded")),
    ],
)
def test_an_answer_says_what_is_odd_about_it(
    asked: bytes, headers: Any, body: bytes, expected: tuple[str, ...]
) -> None:
    exchange = an_exchange(
        request=a_request(body=asked), head=a_head(headers=headers), streamed=headers[:1] == EVENTS
    )

    found = oddities(exchange, chunks(*((n, body[n : n + 1]) for n in range(len(body)))), Decoder)

    assert found == expected
    assert all(oddity.words for oddity in found)


def test_without_an_answer_nothing_is_odd() -> None:
    assert oddities(an_exchange(head=None), (), Decoder) == ()
