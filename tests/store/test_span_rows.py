"""Spans stand in the file itself, also where OpenTelemetry is not installed."""

import json
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from replayproxy.model import Ending, Exchange
from replayproxy.store import Replayed, ReplayLog, Store, Writer, delete, replay_log
from replayproxy.store.sql import as_dict
from replayproxy.telemetry.spans import Playing, span_of
from tests.builders import DONE, NOON, a_request, asking, chunks, record, says, written

TRACE, PARENT = "1" * 32, "2" * 16
BODY = chunks((2_000_000, says("hi")), (3_000_000, DONE))


def spans(path: Path) -> list[dict[str, Any]]:
    with closing(sqlite3.connect(path)) as opened:
        cursor = opened.execute("SELECT * FROM spans ORDER BY id")
        found = [as_dict(cursor, row) for row in cursor.fetchall()]
    return [
        {**row, **{name: json.loads(row[name]) for name in ("attributes", "events")}}
        for row in found
    ]


def exchange(path: Path, exchange_id: int = 1) -> Exchange:
    with Store(path) as store:
        return store.exchange(exchange_id)


def hit(played: Exchange, **playing: Any) -> Replayed:
    times = {"started_at": NOON + timedelta(hours=1), "duration_ns": 1_500_000, **playing}
    return Replayed(
        replayed_at=NOON,
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
        "id": 1,
        "exchange_id": 1,
        "replayed": 0,
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

    live, first, second = spans(path)
    assert [span["replayed"] for span in (live, first, second)] == [0, 1, 1]
    assert first["started_at"] == "2026-09-01T13:00:00.123456Z"
    assert (first["duration_ms"], first["attributes"]["replayproxy.replayed"]) == (1.5, True)
    assert len({span["span_id"] for span in (live, first, second)}) == 3


def test_spans_go_with_their_exchange_and_none_comes_after(tmp_path: Path) -> None:
    path = written(tmp_path / "a.db", {"body": BODY, "request": asking()})
    gone = exchange(path)
    logged(path, hit(gone))

    delete(path, [1])
    logged(path, hit(gone))

    assert spans(path) == []


def test_the_newest_spans_of_replays_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay_log, "KEPT_SPANS", 2)
    path = written(tmp_path / "a.db", {"body": BODY, "request": asking()})
    played = exchange(path)

    for hour in range(1, 5):
        logged(path, hit(played, started_at=NOON + timedelta(hours=hour)))

    kept = [span["started_at"][11:13] for span in spans(path) if span["replayed"]]
    assert kept == ["14", "15", "16"], "two were kept before the last one came"
    assert [span["replayed"] for span in spans(path)].count(0) == 1


def test_a_fault_of_spans_costs_no_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(exchange: Exchange) -> None:
        raise RuntimeError("injected")

    monkeypatch.setattr("replayproxy.store.finishing.span_of", broken)

    path = written(tmp_path / "a.db", {"body": BODY, "request": asking()})

    assert exchange(path).chunk_count == 2
    assert spans(path) == []
