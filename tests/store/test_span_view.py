"""The file itself has the spans, as a view; also where OpenTelemetry is not installed."""

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from replayproxy.model import Ending, Exchange
from replayproxy.store import Replayed, ReplayLog, Store, Writer, delete, reprice, span_view
from replayproxy.store.connection import register_functions
from replayproxy.store.sql import as_dict
from replayproxy.telemetry.spans import Playing, Span, span_of
from tests.builders import DONE, NOON, a_request, asking, chunks, eventually, record, says, written

TRACE, PARENT = "1" * 32, "2" * 16
BODY = chunks((2_000_000, says("hi")), (3_000_000, DONE))


def spans(path: Path, view: str = "spans") -> list[dict[str, Any]]:
    with closing(sqlite3.connect(path)) as opened:
        register_functions(opened)
        cursor = opened.execute(f"SELECT * FROM {view} ORDER BY 1")
        found = [as_dict(cursor, row) for row in cursor.fetchall()]
    return [
        {**row, **{name: json.loads(row[name] or "null") for name in ("attributes", "events")}}
        for row in found
    ]


def exchange(path: Path, exchange_id: int = 1) -> Exchange:
    with Store(path) as store:
        return store.exchange(exchange_id)


def hit(played: Exchange, **playing: Any) -> Replayed:
    times = {"started_at": NOON + timedelta(hours=1), "duration_ns": 1_500_000, **playing}
    return Replayed(
        replayed_at=times["started_at"] + timedelta(microseconds=times["duration_ns"] // 1000),
        cassette="default",
        session="",
        result="hit",
        method="POST",
        host="",
        path="/",
        exchange_id=played.id,
        exchange=played,
        playing=Playing(**times),
    )


def logged(path: Path, *replayed: Replayed) -> None:
    log = ReplayLog(path)
    for one in replayed:
        log.add(one)
    log.close()


def test_every_exchange_has_its_span(tmp_path: Path) -> None:
    parent = (("traceparent", f"00-{TRACE}-{PARENT}-01"),)
    path = written(
        tmp_path / "a.db",
        {"body": BODY, "request": asking(headers=parent)},
        {"head": None, "ending": Ending.UPSTREAM_CLOSED, "request": a_request()},
    )

    whole, refused = spans(path)
    assert whole == {
        "exchange_id": 1,
        "trace_id": TRACE,
        "span_id": span_of(exchange(path)).span_id,
        "parent_span_id": PARENT,
        "name": "chat gpt-4o",
        "started_at": "2026-09-01T12:00:00.123456Z",
        "duration_ms": 3.0,
        "status": "UNSET",
        "status_message": None,
        "attributes": span_of(exchange(path)).attributes,
        "events": [
            {"name": "replayproxy.first_chunk", "offset_ms": 2.0},
            {"name": "replayproxy.first_content", "offset_ms": 2.0},
        ],
    }
    assert (refused["exchange_id"], refused["parent_span_id"]) == (2, None)


def test_an_error_is_its_status(tmp_path: Path) -> None:
    path = written(tmp_path / "a.db", {"body": BODY[:1], "request": asking()})

    (span,) = spans(path)
    assert (span["status"], span["status_message"]) == (
        "ERROR",
        "the stream ended without the protocol's end",
    )


def test_an_exchange_of_a_killed_run_gets_its_span_when_it_is_found(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    writer = Writer(path)
    record(writer, *BODY[:1], request=asking(), ending=None)
    writer.close()

    (span,) = spans(path)
    assert span["attributes"]["replayproxy.outcome"] == "interrupted"


def test_a_replay_has_a_span_of_its_own(tmp_path: Path) -> None:
    path = written(tmp_path / "a.db", {"body": BODY, "request": asking()})
    played = hit(exchange(path))

    logged(path, played, hit(exchange(path), started_at=NOON + timedelta(hours=2)))

    (live,), (first, second) = spans(path), spans(path, "replay_spans")
    assert live["attributes"]["replayproxy.replayed"] is False
    assert first["started_at"] == "2026-09-01T13:00:00.123456Z"
    assert (first["duration_ms"], first["attributes"]["replayproxy.replayed"]) == (1.5, True)
    assert len({span["span_id"] for span in (live, first, second)}) == 3


def test_spans_go_with_their_exchange_and_none_comes_after(tmp_path: Path) -> None:
    path = written(tmp_path / "a.db", {"body": BODY, "request": asking()})
    gone = exchange(path)
    logged(path, hit(gone))

    delete(path, [1])
    logged(path, hit(gone))

    assert spans(path) == spans(path, "replay_spans") == []


def test_a_fault_of_one_span_costs_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(
        tmp_path / "a.db",
        {"body": BODY, "request": asking("a")},
        {"body": BODY, "request": asking("b")},
    )

    def broken(exchange: Exchange, playing: Playing | None) -> Span:
        if exchange.id == 1:
            raise RuntimeError("injected")
        return span_of(exchange, playing)

    span_view.as_json.cache_clear()
    monkeypatch.setattr(span_view, "span_of", broken)

    assert [span["name"] for span in spans(path)] == [None, "chat gpt-4o"]


def test_a_span_costs_what_its_exchange_does_now(tmp_path: Path) -> None:
    path = written(tmp_path / "a.db", {"body": BODY, "request": asking()})

    reprice(path, lambda exchange: replace(exchange, cost_usd=Decimal("0.1")))

    (span,) = spans(path)
    assert span["attributes"]["replayproxy.cost.usd"] == 0.1


def test_an_exchange_in_flight_has_none_yet(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    writer = Writer(path)
    record(writer, *BODY[:1], request=asking(), ending=None)
    with Store(path) as store:
        eventually(lambda: list(store.rows()))

    assert spans(path) == []
    writer.close()
