"""What HTTP brings besides good answers: each kind is recorded as it is, and comes back so.

One proxy for all; `CASES` is the list. Streams and their framings are in test_framings,
HTTP/2 in test_http2.
"""

import json
import socket
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import brotli
import pytest
import zstandard
from openai import OpenAI

from replayproxy.content_coding import Decoder
from replayproxy.oddities import oddities
from replayproxy.store import Store
from tests.end_to_end.commands import PATIENCE_S, body_of, listed, serving
from tests.end_to_end.upstream import (
    LAST_CHUNK,
    STREAM_HEAD,
    Close,
    Received,
    Reset,
    Script,
    Send,
    Upstream,
    chunk,
    plain,
    streamed,
)
from tests.end_to_end.wire import Answer, post

CHAT = "/v1/chat/completions"
EVENT = b'data: {"model":"gpt-x","choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'
USAGE = b'data: {"usage":{"prompt_tokens":5,"completion_tokens":6}}\n\n'
DONE = b"data: [DONE]\n\n"
STREAM = EVENT + USAGE + DONE
AZURE_FIRST = (
    b'data: {"id":"","model":"","object":"","created":0,"choices":[],'
    b'"prompt_filter_results":[{"prompt_index":0,"content_filter_results":{}}]}\n\n'
)
AZURE_TAIL = (
    b'data: {"id":"","model":"","choices":[{"index":0,"finish_reason":null,"delta":{},'
    b'"content_filter_offsets":{"start_offset":0},"content_filter_results":{}}]}\n\n'
)
ASK = {"model": "gpt-x", "stream": True}


def head(*lines: str, status: str = "200 OK") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode()


def encoded(coding: str, encode: Callable[[bytes], bytes]) -> Script:
    body = encode(STREAM)
    lines = ("Content-Type: text/event-stream", f"Content-Encoding: {coding}")
    return [
        Send(head(*lines, "Transfer-Encoding: chunked")),
        *(Send(chunk(body[i : i + 9])) for i in range(0, len(body), 9)),
        Send(LAST_CHUNK),
    ]


def raw_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush()


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A request, what comes back, and what its exchange then says.

    Attributes:
        status: None: the client gets mitmproxy's own 502, and no answer is recorded.
        row: some columns.
    """

    script: Script
    path: str = CHAT
    body: Any = field(default_factory=lambda: ASK)
    status: int | None = 200
    whole: bool = True
    received: bytes = STREAM
    row: dict[str, Any] = field(default_factory=lambda: {"outcome": "completed"})


READ = {"outcome": "completed", "input_tokens": 5, "output_tokens": 6}
BROKEN = {"outcome": "upstream_closed", "status": 200}
REFUSED = {"outcome": "upstream_closed", "status": None}

CASES = {
    "brotli": Case(
        script=encoded("br", brotli.compress), received=brotli.compress(STREAM), row=READ
    ),
    "zstd": Case(
        script=encoded("zstd", zstandard.compress), received=zstandard.compress(STREAM), row=READ
    ),
    "deflate": Case(
        script=encoded("deflate", zlib.compress), received=zlib.compress(STREAM), row=READ
    ),
    "raw deflate": Case(
        script=encoded("deflate", raw_deflate), received=raw_deflate(STREAM), row=READ
    ),
    "an encoding nobody knows": Case(
        script=encoded("rot13", lambda data: data),
        row={"outcome": "upstream_closed", "input_tokens": None},
    ),
    "trailers": Case(
        script=[
            Send(STREAM_HEAD.replace(b"\r\n\r\n", b"\r\nTrailer: X-Sum\r\n\r\n")),
            Send(chunk(STREAM)),
            Send(b"0\r\nX-Sum: 1\r\n\r\n"),
        ],
        row=READ,
    ),
    "early hints": Case(
        script=[
            Send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
            Send(b"HTTP/1.1 100 Continue\r\n\r\n"),
            *streamed([STREAM]),
        ],
        row=READ,
    ),
    "chunk extensions": Case(
        script=[Send(STREAM_HEAD + b"%x;a=b\r\n%b\r\n" % (len(STREAM), STREAM) + LAST_CHUNK)],
        row=READ,
    ),
    "http/1.0": Case(
        script=[Send(b"HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"), Send(STREAM),
                Close()],
        row=READ,
    ),
    "azure": Case(
        path="/openai/deployments/my-gpt/chat/completions?api-version=2024-10-21",
        body={"stream": True, "messages": []},
        script=streamed([AZURE_FIRST, EVENT, AZURE_TAIL, USAGE, DONE]),
        received=AZURE_FIRST + EVENT + AZURE_TAIL + USAGE + DONE,
        row={**READ, "request_model": "my-gpt", "response_model": "gpt-x",
             "protocol": "openai_chat"},
    ),
    "embeddings": Case(
        path="/v1/embeddings",
        body={"model": "embed", "input": "a"},
        script=plain(b'{"model":"embed-1","data":[{"embedding":[0.1]}],"usage":{"prompt_tokens":5}}'),
        received=b'{"model":"embed-1","data":[{"embedding":[0.1]}],"usage":{"prompt_tokens":5}}',
        row={"protocol": "http", "request_model": "embed", "response_model": "embed-1",
             "input_tokens": 5, "outcome": "completed"},
    ),
    "legacy completions": Case(
        path="/v1/completions",
        script=streamed([b'data: {"choices":[{"index":0,"text":"a"}]}\n\n', DONE]),
        received=b'data: {"choices":[{"index":0,"text":"a"}]}\n\n' + DONE,
        row={"protocol": "http", "request_model": "gpt-x", "streamed": 1,
             "outcome": "completed"},
    ),
    "json to stream:true": Case(
        script=plain(b'{"choices":[]}'), received=b'{"choices":[]}', row={"streamed": 0}
    ),
    "html to stream:true": Case(
        script=plain(b"<html>", content_type="text/html"), received=b"<html>",
        row={"streamed": 0, "outcome": "completed"},
    ),
    "nothing to stream:true": Case(
        script=[Send(head("Content-Length: 0"))], received=b"", row={"streamed": 0}
    ),
    "an html error": Case(
        script=plain(b"<html>down", content_type="text/html", status="503 Down"),
        status=503, received=b"<html>down",
    ),
    "garbage": Case(script=[Send(b"nonsense\r\n\r\n"), Close()], status=None, row=REFUSED),
    "hung up at once": Case(script=[Close()], status=None, row=REFUSED),
    "two lengths": Case(
        script=[Send(head("Content-Length: 2", "Content-Length: 3") + b"abc")],
        status=None, row=REFUSED,
    ),
    "length and chunks": Case(
        script=[Send(head("Content-Length: 2", "Transfer-Encoding: chunked") + chunk(b"ab"))],
        status=None, row=REFUSED,
    ),
    "a bad chunk header": Case(
        script=[Send(STREAM_HEAD + chunk(EVENT)), Send(b"zz\r\nmore")],
        whole=False, received=EVENT, row=BROKEN,
    ),
    "a body that is no gzip": Case(
        script=[Send(head("Content-Encoding: gzip", f"Content-Length: {len(STREAM)}") + STREAM)],
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A case as it was live, in the file, and again."""

    live: Answer
    row: dict[str, Any]
    flags: tuple[str, ...]
    replayed: Answer


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Seen]:
    folder = tmp_path_factory.mktemp("wire")

    def script(request: Received) -> Script:
        return CASES[request.headers["x-case"]].script

    def ask(url: str) -> dict[str, Answer]:
        return {
            name: post(url + case.path, {**case.body, "user": name}, headers={"x-case": name})
            for name, case in CASES.items()
        }

    with Upstream(script) as upstream:
        with serving("record", "--upstream", upstream.origin, cwd=folder) as recorder:
            live = ask(recorder.url)
        asked = len(upstream.requests)
        with serving("replay", "--speed", "instant", cwd=folder) as player:
            replayed = ask(player.url)
        assert len(upstream.requests) == asked == len(CASES)
    assert recorder.code == 0, recorder.words
    assert "Traceback" not in recorder.words + player.words
    return {
        name: Seen(live=live[name], row=row, flags=flags, replayed=replayed[name])
        for name, (row, flags) in zip(CASES, recorded(folder), strict=True)
    }


def recorded(folder: Path) -> Iterator[tuple[dict[str, Any], tuple[str, ...]]]:
    """The rows, and what is odd about each answer."""
    with Store(folder / "replayproxy.db") as store:
        for row in store.rows():
            exchange, chunks = store.exchange(row["id"]), store.chunks(row["id"])
            yield row, oddities(exchange, chunks, Decoder)


@pytest.mark.parametrize("name", CASES)
def test_the_client_gets_it_and_the_exchange_says_what_it_was(
    name: str, seen: dict[str, Seen]
) -> None:
    case, found = CASES[name], seen[name]

    assert found.live.status == (case.status or 502)
    assert found.live.whole == case.whole
    assert case.status is None or found.live.body == case.received
    assert {column: found.row[column] for column in case.row} == case.row
    assert bool(found.row["error"]) == (found.row["outcome"] == "upstream_closed")


@pytest.mark.parametrize(
    "name",
    ["json to stream:true", "html to stream:true", "nothing to stream:true", "an html error"],
)
def test_what_is_no_stream_where_one_was_asked_for_is_flagged(
    name: str, seen: dict[str, Seen]
) -> None:
    assert seen[name].flags == ("not_sse",)
    assert seen["brotli"].flags == ()


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.status])
def test_it_comes_back_as_it_was(name: str, seen: dict[str, Seen]) -> None:
    live, replayed = seen[name].live, seen[name].replayed

    assert replayed.status == live.status
    assert (replayed.chunks, replayed.whole) == (live.chunks, live.whole)
    assert replayed.headers["x-replayproxy"] == "hit"
    for header in ("content-type", "content-encoding", "content-length", "transfer-encoding"):
        assert replayed.headers.get(header) == live.headers.get(header)


EVERY_BYTE = STREAM_HEAD + chunk(EVENT) + chunk(DONE) + LAST_CHUNK


@pytest.mark.parametrize("ending", [Close(), Reset()], ids=["closed", "reset"])
def test_a_connection_that_ends_after_any_byte_is_never_taken_for_whole(
    ending: Close | Reset, tmp_path: Path
) -> None:
    sizes = range(0, len(EVERY_BYTE), 1 if isinstance(ending, Close) else 9)

    def script(request: Received) -> Script:
        size = json.loads(request.body)["n"]
        return [*([Send(EVERY_BYTE[:size])] if size else []), ending]

    with (
        Upstream(script) as upstream,
        serving("record", "--upstream", upstream.origin, cwd=tmp_path) as recorder,
    ):
        answers = [post(recorder.url + CHAT, {**ASK, "n": size}) for size in sizes]
    rows = listed(tmp_path)

    said_all = EVERY_BYTE.index(b"[DONE]") + len(b"[DONE]")  # the blank line may be missing
    for size, answer, row in zip(sizes, answers, rows, strict=True):
        assert not answer.whole or answer.status == 502
        assert answer.status == 502 or (EVENT + DONE).startswith(answer.body)
        if size < said_all:
            assert row["outcome"] == "upstream_closed"
        elif isinstance(ending, Close):  # a reset may overtake what was sent before it
            assert row["outcome"] == "completed"
    assert recorder.code == 0


def exchanged(url: str, *, sent: bytes, until: bytes) -> bytes:
    """Send bytes and read until some others, or the end."""
    address = url.removeprefix("http://").split(":")
    with socket.create_connection((address[0], int(address[1])), PATIENCE_S) as connection:
        connection.sendall(sent)
        received = b""
        while until not in received and (data := connection.recv(4096)):
            received += data
    return received


def test_odd_requests_pass_or_are_refused_and_the_next_one_is_served(tmp_path: Path) -> None:
    line = f"POST {CHAT} HTTP/1.1\r\nHost: x\r\n".encode()
    chunked = b"Transfer-Encoding: chunked\r\n"
    smuggling = line + b"Content-Length: 2\r\n" + chunked + b"\r\n2\r\n{}\r\n0\r\n\r\n"
    two_lengths = line + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} "
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"
    upgrade = (
        b"GET /v1/models HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\n"
        b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n"
    )
    trailers = line + chunked + b"Trailer: X\r\n\r\n2\r\n{}\r\n0\r\nX: 1\r\n\r\n"
    with (
        Upstream(lambda request: plain(b'{"ok":1}')) as upstream,
        serving("record", "--upstream", upstream.origin, cwd=tmp_path) as recorder,
    ):
        refused = [
            exchanged(recorder.url, sent=sent, until=b"</html>")
            for sent in (smuggling, two_lengths, preface)
        ]
        passed_none = not upstream.requests
        passed = [
            exchanged(recorder.url, sent=sent, until=b'{"ok":1}') for sent in (upgrade, trailers)
        ]

    assert passed_none
    assert [answer.split(b"\r\n")[0] for answer in refused] == [
        b"HTTP/1.1 400 Bad Request",
        b"HTTP/1.1 400 Bad Request",
        b"",
    ]
    assert all(b"200 OK" in answer for answer in passed)
    assert "upgrade" not in upstream.requests[0].headers
    assert [(row["method"], row["outcome"]) for row in listed(tmp_path)] == [
        ("GET", "completed"),
        ("POST", "completed"),
    ]
    assert body_of(2, tmp_path, "request") == b"{}"
    assert recorder.words.count("h2c") == 1
    assert "Traceback" not in recorder.words
    assert recorder.code == 0


def test_each_attempt_of_the_sdk_is_an_exchange_and_a_replay_is_the_same_sequence(
    tmp_path: Path,
) -> None:
    limited = plain(b"{}", status="429 Too Many Requests", more="Retry-After: 0\r\n")
    answers = iter([limited, streamed([EVENT, DONE])])

    def ask(url: str) -> list[str | None]:
        with OpenAI(base_url=f"{url}/v1", api_key="x", max_retries=1) as sdk:
            stream = sdk.chat.completions.create(model="gpt-x", messages=[], stream=True)
            return [chunk.choices[0].delta.content for chunk in stream]

    with (
        Upstream(lambda request: next(answers)) as upstream,
        serving("record", "--upstream", upstream.origin, cwd=tmp_path) as recorder,
    ):
        live = ask(recorder.url)
    with serving("replay", "--speed", "instant", cwd=tmp_path) as player:
        replayed = ask(player.url)

    assert live == replayed == ["a"]
    assert [(row["status"], row["retry_count"]) for row in listed(tmp_path)] == [(429, 0), (200, 1)]
    assert len(upstream.requests) == 2
