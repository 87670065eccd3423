"""Minted keys never reach a file; what looks like a key in other bodies is counted."""

import gzip
import json
from pathlib import Path

import pytest

from replayproxy.content_coding import Decoder
from replayproxy.model import Ending, Headers
from replayproxy.store import Writer
from tests.builders import (
    EVENTS,
    JSON,
    a_head,
    a_request,
    asking,
    chunks,
    eventually,
    only_exchange,
    record,
    says,
)

CANARY = "sk-" + "aig-canary-0123456789abcdef"
MINTING = a_request(method="POST", host="api.aigateway.sh", path="/v1/sub-accounts")
ANSWER = json.dumps({"id": "sa_1", "key": CANARY}).encode()
MASKED = ANSWER.replace(CANARY.encode(), b"*" * len(CANARY))
GZIPPED: Headers = (*JSON, ("content-encoding", "gzip"))
TORN = ANSWER.index(CANARY.encode()) + 9


def in_files(folder: Path) -> list[str]:
    """The files that hold a piece of the canary of 8 bytes or more."""
    pieces = [CANARY[start : start + 8].encode() for start in range(len(CANARY) - 7)]
    return [
        path.name
        for path in folder.iterdir()
        if any(piece in path.read_bytes() for piece in pieces)
    ]


@pytest.mark.parametrize("ending", Ending)
@pytest.mark.parametrize("seen", [len(ANSWER), len(ANSWER) - 1, TORN + 4])
def test_a_minted_key_is_masked_whatever_the_ending(
    ending: Ending, seen: int, tmp_path: Path
) -> None:
    body = chunks((5, ANSWER[:TORN]), (9, ANSWER[TORN:seen]))

    with_writer = Writer(tmp_path / "a.db")
    record(with_writer, *body, request=MINTING, head=a_head(headers=JSON), ending=ending)
    with_writer.close()

    exchange, found = only_exchange(tmp_path / "a.db")
    whole = MASKED if seen == len(ANSWER) else b"*" * seen
    assert found == chunks((5, whole[:TORN]), (9, whole[TORN:]))
    assert (exchange.ending, exchange.response_bytes, exchange.chunk_count) == (ending, seen, 2)
    assert in_files(tmp_path) == []
    assert with_writer.keys.exchanges == 0


def test_nothing_of_a_minted_key_is_written_while_its_answer_runs(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "a.db")
    head = a_head(headers=JSON)
    first, second = chunks((5, ANSWER[:TORN]), (2_000, ANSWER[TORN:]))
    minting = record(writer, first, request=MINTING, head=head, ending=None)
    record(writer, *chunks((5, b"{}")), request=asking("another"), head=head)
    eventually(lambda: writer.recorded)

    assert in_files(tmp_path) == []
    minting.chunk(second.offset_ns, second.data)
    writer.close()

    found = only_chunks(tmp_path / "a.db", 1)
    assert found == chunks((5, MASKED[:TORN]), (2_000, MASKED[TORN:]))
    assert in_files(tmp_path) == []


def only_chunks(path: Path, exchange_id: int) -> object:
    from replayproxy.store import Store

    with Store(path) as store:
        exchange = store.exchange(exchange_id)
        assert exchange.ending is Ending.INTERRUPTED
        assert exchange.end_offset_ns == 2_000
        return store.chunks(exchange_id)


@pytest.mark.parametrize("keep", [None, -5])
def test_of_an_encoded_answer_with_a_key_nothing_is_kept_but_its_length(
    keep: int | None, tmp_path: Path
) -> None:
    wire = gzip.compress(ANSWER, mtime=0)[:keep]

    writer = Writer(tmp_path / "a.db")
    record(
        writer,
        *chunks((5, wire[:40]), (9, wire[40:])),
        request=MINTING,
        head=a_head(headers=GZIPPED),
    )
    writer.close()

    _, found = only_exchange(tmp_path / "a.db")
    assert found == chunks((5, b"*" * 40), (9, b"*" * (len(wire) - 40)))
    assert b"sk-aig" in Decoder("gzip").decode(wire)


def test_an_answer_without_a_head_or_a_body_is_no_trouble(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "a.db")

    record(writer, *chunks((5, ANSWER)), request=MINTING, head=None)
    record(writer, request=MINTING)
    writer.close()

    assert (writer.recorded, writer.not_recorded) == (2, 0)
    assert in_files(tmp_path) == []


KEY = "AKIA" + "Q4WZ" * 4


def test_exchanges_that_hold_what_looks_like_keys_are_counted_and_kept(tmp_path: Path) -> None:
    encoded: Headers = (("Content-Encoding", "gzip"),)
    text = says(f"it is {KEY}!")
    wire = gzip.compress(text)
    writer = Writer(tmp_path / "a.db")

    record(writer, request=asking(f"use {KEY}"))
    record(writer, request=a_request(headers=encoded, body=gzip.compress(KEY.encode())))
    record(writer, *chunks((5, text[:60]), (9, text[60:])))
    record(
        writer, *chunks((5, wire[:60]), (9, wire[60:])), head=a_head(headers=(*EVENTS, *encoded))
    )
    record(writer, *chunks((5, says("nothing"))))
    writer.close()

    assert (writer.keys.exchanges, writer.keys.kinds) == (4, {"aws access key"})
    assert writer.not_recorded == 0


def test_keys_are_found_over_transactions_and_not_across_request_and_response(
    tmp_path: Path,
) -> None:
    writer = Writer(tmp_path / "a.db")
    torn = record(writer, *chunks((5, f"data: {KEY[:9]}".encode())), ending=None)
    record(writer, *chunks((5, KEY[9:].encode())), request=a_request(body=KEY[:9].encode()))
    eventually(lambda: writer.recorded)
    assert writer.keys.exchanges == 0

    torn.chunk(2_000, KEY[9:].encode())
    writer.close()

    assert (writer.keys.exchanges, writer.keys.kinds) == (1, {"aws access key"})
