"""The writer: nothing lost that need not be, nothing stored that must not be."""

import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replayproxy.model import (
    USAGE_COUNTS,
    Ending,
    Exchange,
    Headers,
    Outcome,
    Request,
    RequestParameters,
    ResponseHead,
    Usage,
    UsageEstimate,
)
from replayproxy.store import Store, Writer
from tests.builders import (
    DONE,
    EVENTS,
    JSON,
    NOON,
    a_head,
    a_request,
    asking,
    chunks,
    eventually,
    only_exchange,
    record,
    says,
    written,
)

HELLO = chunks((5_000_000, says("Hello")), (9_000_000, DONE))

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
kept_headers: st.SearchStrategy[Headers] = st.lists(
    st.tuples(st.sampled_from(["Date", "x-ratelimit-a", "vary"]), text), max_size=3
).map(tuple)
requests = st.builds(
    Request,
    method=st.sampled_from(["GET", "POST", "DELETE"]),
    scheme=st.sampled_from(["http", "https"]),
    host=text,
    port=st.integers(0, 65535),
    path=text,
    query=st.sampled_from(["", "a=1&b=%20", "a;b&&=c"]),
    http_version=st.sampled_from(["HTTP/1.0", "HTTP/1.1", "HTTP/2.0"]),
    headers=kept_headers,
    body=st.binary(max_size=60),
)
heads = st.builds(
    ResponseHead,
    offset_ns=st.integers(0, 2**62),
    status=st.integers(100, 599),
    reason=text,
    http_version=st.sampled_from(["HTTP/1.0", "HTTP/1.1", "HTTP/2.0"]),
    headers=kept_headers,
)
bodies = st.lists(st.tuples(st.integers(0, 10**12), st.binary(max_size=60)), max_size=8)


@settings(max_examples=50)
@given(requests, heads, bodies, st.sampled_from(Ending))
def test_what_is_recorded_comes_back_equal(
    tmp_path_factory: pytest.TempPathFactory,
    request: Request,
    head: ResponseHead,
    body: list[tuple[int, bytes]],
    ending: Ending,
) -> None:
    path = tmp_path_factory.mktemp("round") / "trip.db"
    offsets = accumulate(gap for gap, _ in body)
    expected = chunks(*zip(offsets, (data for _, data in body), strict=True))

    written(path, {"request": request, "head": head, "body": expected, "ending": ending})

    exchange, found = only_exchange(path)
    assert (exchange.request, exchange.head, exchange.ending) == (request, head, ending)
    assert exchange.started_at == NOON
    assert found == expected
    assert exchange.chunk_count == len(expected)
    assert exchange.response_bytes == sum(len(chunk.data) for chunk in expected)


ENRICHED: dict[str, Any] = {
    "provider": "openai",
    "finish_reasons": ("stop", "length"),
    "parameters": RequestParameters(temperature=0.5, stop_sequences=("a", "é"), seed=-1),
    "service_tier": "flex",
    "system_fingerprint": "fp_1",
    "usage": Usage(
        **{name: number for number, name in enumerate(USAGE_COUNTS) if name != "web_searches"},
        problems=(("web_searches", "web_search_requests is -1"),),
    ),
    "usage_estimate": UsageEstimate(output_tokens=7, source="guessed"),
    "cost_usd": Decimal("0.000105"),
    "cost_source": "reported",
    "reported_cost_usd": Decimal("0.000105"),
    "computed_cost_usd": Decimal("0.123456789012345"),
    "price_version": "genai-prices 0.2.3",
    "price_model": "openai/gpt-4o",
}


def test_all_that_is_known_of_an_exchange_comes_back(tmp_path: Path) -> None:
    stored: list[Exchange] = []

    def enrich(exchange: Exchange) -> Exchange:
        return replace(exchange, **ENRICHED)

    writer = Writer(tmp_path / "a.db", enrich=enrich, on_stored=stored.append)
    record(
        writer,
        *chunks(
            (1_500_000, b": keep-alive\n\n"),
            (2_000_000, says("", model="gpt-4o-2024", id="1")),
            (3_000_000, says("Hello")),
            (4_000_000, b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n' + DONE),
        ),
        request=asking(headers=(("x-aig-tag", "team-a"),)),
        cassette="demo",
    )
    writer.close()

    exchange, _ = only_exchange(tmp_path / "a.db")
    assert stored == [exchange]
    assert exchange == Exchange(
        id=1,
        cassette="demo",
        started_at=NOON,
        request=asking(headers=(("x-aig-tag", "team-a"),)),
        head=a_head(),
        outcome=Outcome.COMPLETED,
        ending=Ending.FINISHED,
        protocol="openai_chat",
        streamed=True,
        request_model="gpt-4o",
        response_model="gpt-4o-2024",
        response_id="1",
        **ENRICHED,
        first_event_ns=2_000_000,
        first_content_ns=3_000_000,
        end_offset_ns=4_000_000,
        chunk_count=4,
        response_bytes=exchange.response_bytes,
        tag="team-a",
    )


def test_exchanges_are_numbered_in_the_order_of_their_requests(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "a.db")
    tapes = [record(writer, request=asking(str(number)), ending=None) for number in range(5)]
    for tape in reversed(tapes):
        tape.end(Ending.FINISHED, 5)
    writer.close()

    assert (writer.recorded, writer.not_recorded) == (5, 0)
    with Store(tmp_path / "a.db") as store:
        asked = [store.exchange(row["id"]).request for row in store.rows()]
    assert asked == [asking(str(number)) for number in range(5)]


def test_equal_bodies_are_stored_once(tmp_path: Path) -> None:
    image = bytes(range(256)) * 4

    path = written(
        tmp_path / "a.db",
        *({"request": a_request(body=image), "body": HELLO} for _ in range(10)),
        {"request": a_request(body=image), "body": chunks((7, image))},
    )

    with closing(sqlite3.connect(path)) as opened:
        sizes = opened.execute("SELECT size FROM bodies ORDER BY size").fetchall()
    assert sizes == [(sum(len(chunk.data) for chunk in HELLO),), (1024,)]
    with Store(path) as store:
        assert [store.chunks(number) for number in range(1, 11)] == [HELLO] * 10
        assert store.chunks(11) == chunks((7, image))
        assert store.exchange(11).request.body == image


def test_a_stream_can_be_read_while_it_is_in_flight(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "a.db")
    tape = record(writer, ending=None)

    with Store(tmp_path / "a.db") as store:
        eventually(lambda: list(store.rows()))
        # a tenth of a second by design; the deadline forgives a slow machine
        tape.chunk(HELLO[0].offset_ns, HELLO[0].data)
        eventually(lambda: store.chunks(1) == HELLO[:1], within_s=5)
        tape.chunk(HELLO[1].offset_ns, HELLO[1].data)
        eventually(lambda: store.chunks(1) == HELLO, within_s=5)
        assert store.exchange(1).outcome is None

        tape.end(Ending.FINISHED, 10_000_000)
        eventually(lambda: store.exchange(1).outcome)
        assert store.chunks(1) == HELLO
    writer.close()


def test_nothing_is_added_to_a_tape_that_has_ended(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "a.db")
    tape = record(writer, *HELLO)
    tape.chunk(11_000_000, b"more")
    tape.end(Ending.CLIENT_CLOSED, 12_000_000)
    writer.close()

    exchange, found = only_exchange(tmp_path / "a.db")
    assert (exchange.ending, exchange.end_offset_ns) == (Ending.FINISHED, 9_000_000)
    assert found == HELLO


def test_no_secret_reaches_the_disk(tmp_path: Path) -> None:
    secret = "canary-4f1d9a72c3"
    names = """authorization proxy-authorization api-key x-api-key x-goog-api-key cookie set-cookie
        x-auth-token x-amz-security-token openai-organization x-forwarded-for location""".split()
    headers = tuple((name, f"Bearer {secret}") for name in names)
    writer = Writer(tmp_path / "a.db")
    record(
        writer,
        *HELLO,
        request=asking(headers=headers, query=f"key={secret}&sig={secret}&accessToken={secret}"),
        head=a_head(headers=(*headers, *EVENTS)),
    )
    record(writer, request=asking("in flight", headers=headers), ending=None)
    eventually(lambda: writer.recorded)
    on_disk = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    writer.close()
    on_disk["closed"] = (tmp_path / "a.db").read_bytes()

    assert {"a.db", "a.db-wal", "closed"} <= set(on_disk)
    assert [name for name, data in on_disk.items() if secret.encode() in data] == []
    assert b"authorization" in on_disk["closed"]


def test_bodies_that_are_not_streams_are_read_too(tmp_path: Path) -> None:
    answer = b'{"model": "gpt-4o", "usage": {"prompt_tokens": 3, "completion_tokens": 4}}'

    written(tmp_path / "a.db", {"head": a_head(headers=JSON), "body": chunks((5, answer))})

    exchange, _ = only_exchange(tmp_path / "a.db")
    assert exchange.usage == Usage(input_tokens=3, output_tokens=4)
    assert (exchange.streamed, exchange.outcome) == (False, Outcome.COMPLETED)


def test_writers_on_one_file_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    writers = [Writer(path) for _ in range(3)]

    for number in range(40):
        for writer in writers:
            record(writer, *HELLO, request=asking(str(number)))
    closers = [threading.Thread(target=writer.close) for writer in writers]
    for closer in closers:
        closer.start()
    for closer in closers:
        closer.join()

    assert [(writer.recorded, writer.not_recorded) for writer in writers] == [(40, 0)] * 3
    with Store(path) as store:
        rows = list(store.rows())
        assert {row["outcome"] for row in rows} == {"completed"}
        assert sorted(row["run_id"] for row in rows) == [1] * 40 + [2] * 40 + [3] * 40
        assert all(store.chunks(row["id"]) == HELLO for row in rows)


def test_closing_marks_what_is_still_open_and_keeps_its_bytes(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "a.db")
    record(writer, HELLO[0], ending=None)

    writer.close()

    exchange, found = only_exchange(tmp_path / "a.db")
    assert (exchange.outcome, exchange.error) == (Outcome.INTERRUPTED, "the recorder was stopped")
    assert exchange.end_offset_ns == 5_000_000
    assert found == HELLO[:1]
    assert (writer.recorded, writer.not_recorded) == (1, 0)


def test_closing_twice_does_no_harm(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "a.db")
    record(writer, *HELLO)

    closers = [threading.Thread(target=writer.close) for _ in range(3)]
    for closer in closers:
        closer.start()
    for closer in closers:
        closer.join()
    writer.close()

    assert writer.recorded == 1
    with closing(sqlite3.connect(tmp_path / "a.db")) as opened:
        assert opened.execute("SELECT count(*) FROM runs WHERE ended_at > started_at").fetchone()


def test_after_closing_only_the_database_is_left(tmp_path: Path) -> None:
    written(tmp_path / "a.db", {"body": HELLO})

    assert [file.name for file in tmp_path.iterdir()] == ["a.db"]


ROOT = Path(__file__).parents[2]
RECORDS_UNTIL_KILLED = """
import sys
from pathlib import Path
from replayproxy.store import Writer
from tests.builders import *

writer = Writer(Path(sys.argv[1]))
record(writer, *chunks((5, says("Hello")), (7, says(" you"))), request=asking("open"), ending=None)
record(writer, *chunks((5, says("Hello")), (9, DONE)), request=asking("told"), ending=None)
record(writer, *chunks((5, says("Hello")), (9, DONE)), request=asking("whole"))
record(writer, request=asking("nothing"), head=None, ending=None)
sys.stdin.read()
"""


def test_what_a_killed_recorder_left_open_is_interrupted_and_not_replayed(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    Writer(path).close()
    with (
        subprocess.Popen(
            [sys.executable, "-c", RECORDS_UNTIL_KILLED, str(path)], stdin=subprocess.PIPE, cwd=ROOT
        ) as child,
        Store(path) as store,
    ):
        eventually(lambda: [len(store.chunk_table(n)) for n in range(1, 5)] == [2, 2, 2, 0])
        child.kill()
    assert child.returncode == -signal.SIGKILL

    writer = Writer(path)
    writer.close()

    assert writer.interrupted_before == 3
    with Store(path) as store:
        outcomes = [(row["outcome"], row["error"]) for row in store.rows()]
        assert outcomes == [
            ("interrupted", "the recording did not end"),
            ("completed", None),  # its protocol had said that it was whole
            ("completed", None),
            ("interrupted", "the recording did not end"),
        ]
        assert store.chunks(1) == chunks((5, says("Hello")), (7, says(" you")))
        assert store.chunks(2) == store.chunks(3) == chunks((5, says("Hello")), (9, DONE))
        assert [bool(store.match_keys(number)) for number in range(1, 5)] == [
            False,
            True,
            True,
            False,
        ]
    with closing(sqlite3.connect(path)) as opened:
        assert opened.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.db"]


def test_what_a_living_recorder_has_open_is_left_alone(tmp_path: Path) -> None:
    first = Writer(tmp_path / "a.db")
    tape = record(first, *HELLO[:1], ending=None)
    with Store(tmp_path / "a.db") as store:
        eventually(lambda: list(store.rows()))

        second = Writer(tmp_path / "a.db")
        record(second, *HELLO, request=asking("second"))
        second.close()
        tape.end(Ending.FINISHED, 10_000_000)
        first.close()

        assert (second.interrupted_before, first.not_recorded, second.not_recorded) == (0, 0, 0)
        assert [row["outcome"] for row in store.rows()] == ["upstream_closed", "completed"]
