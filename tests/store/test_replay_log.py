"""What was replayed: kept in a table of its own, and never at the price of a replay."""

import logging
import shutil
import sqlite3
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from replayproxy.store import Replayed, ReplayLog, Store, delete, replay_log
from tests.builders import NOON, asking, chunks, written

HIT = Replayed(
    replayed_at=NOON,
    cassette="default",
    session="",
    result="hit",
    method="POST",
    host="127.0.0.1",
    path="/v1/chat/completions",
    request_model="gpt-4o",
    exchange_id=1,
    normalized=("$.a", "$.b"),
    late_ms=0.25,
)
MISS = replace(
    HIT, result="miss", exchange_id=None, normalized=(), late_ms=None, closest_id=1, message="no"
)


def test_a_hit_says_what_it_avoided_also_once_its_exchange_is_deleted(tmp_path: Path) -> None:
    usage = b'data: {"usage":{"prompt_tokens":9,"completion_tokens":2,"cost":0.25}}\n\n'
    path = written(tmp_path / "a.db", {"request": asking(), "body": chunks((1, usage))})
    avoided = "avoided_cost_usd, avoided_input_tokens, avoided_output_tokens"

    logged(path, HIT, MISS)
    delete(path, [1])

    assert rows(path, avoided) == [(0.25, 9, 2), (None, None, None)]


def logged(path: Path, *replayed: Replayed) -> None:
    log = ReplayLog(path)
    for one in replayed:
        log.add(one)
    log.close()


def rows(path: Path, columns: str = "*") -> list[Any]:
    with closing(sqlite3.connect(path)) as opened:
        return opened.execute(f"SELECT {columns} FROM replays ORDER BY id").fetchall()


def test_hits_and_misses_are_rows(tmp_path: Path) -> None:
    path = written(tmp_path / "a.db", {"request": asking()})

    logged(path, HIT, MISS)
    logged(path, replace(MISS, session="test-7", cassette="other"))

    assert rows(path, "id, replayed_at, result, exchange_id, normalized, late_ms, session") == [
        (1, "2026-09-01T12:00:00.123456Z", "hit", 1, "$.a, $.b", 0.25, ""),
        (2, "2026-09-01T12:00:00.123456Z", "miss", None, None, None, ""),
        (3, "2026-09-01T12:00:00.123456Z", "miss", None, None, None, "test-7"),
    ]
    with Store(path) as store:
        assert [(row["id"], row["message"], row["closest_id"]) for row in store.misses()] == [
            (2, "no", 1),
            (3, "no", 1),
        ]
        assert [row["id"] for row in store.misses(cassette="other")] == [3]
        assert [row["id"] for row in store.rows()] == [1]


def test_more_than_a_batch_is_written_in_order(tmp_path: Path) -> None:
    path = written(tmp_path / "a.db", {"request": asking()})

    logged(path, *(replace(HIT, late_ms=n) for n in range(1_203)))

    assert [late for (late,) in rows(path, "late_ms")] == list(range(1_203))


def test_a_log_without_entries_does_not_touch_the_file(tmp_path: Path) -> None:
    path = written(tmp_path / "a.db", {"request": asking()})
    before = path.read_bytes()

    logged(path)

    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_what_was_replayed_stays_when_the_exchange_is_deleted(tmp_path: Path) -> None:
    path = written(tmp_path / "a.db", {"request": asking()})
    logged(path, HIT, MISS)

    delete(path, [1])

    assert rows(path, "result, exchange_id, closest_id") == [("hit", None, None)] + [
        ("miss", None, None)
    ]


def test_an_exchange_that_was_deleted_meanwhile_costs_only_its_own_row(tmp_path: Path) -> None:
    path = written(tmp_path / "a.db", {"request": asking()})

    logged(path, replace(HIT, exchange_id=7), MISS)

    assert rows(path, "result, exchange_id") == [("hit", None), ("miss", None)]


def test_old_entries_make_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "a.db", {"request": asking()})
    monkeypatch.setattr(replay_log, "KEPT", 3)
    logged(path, *[HIT] * 5)

    logged(path, MISS)

    assert [row_id for (row_id,) in rows(path, "id")] == [3, 4, 5, 6]


@pytest.mark.parametrize("fault", ["gone", "damaged"])
def test_where_nothing_can_be_written_there_is_no_log(
    tmp_path: Path, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = written(tmp_path / "a.db", {"request": asking()})
    if fault == "gone":
        shutil.rmtree(tmp_path)
        tmp_path.touch()
    else:
        path.write_bytes(b"\0" * 4096)

    with caplog.at_level(logging.INFO, "replayproxy"):
        logged(path, HIT, MISS)

    assert "what is replayed is not logged" in caplog.text
    if fault == "gone":
        tmp_path.unlink()


class _ClosedMeanwhile(threading.Event):
    """Somebody closes the log just before its news is cleared."""

    def __init__(self, log: ReplayLog) -> None:
        super().__init__()
        self._log = log

    def clear(self) -> None:
        self._log._closing.set()
        self.set()
        super().clear()


def test_it_ends_whenever_it_is_closed(tmp_path: Path) -> None:
    path = written(tmp_path / "a.db", {"request": asking(), "body": chunks((1, b"x"))})
    log = ReplayLog(path)
    before, log._news = log._news, _ClosedMeanwhile(log)

    log.add(HIT)
    before.set()
    log._thread.join(timeout=20)

    assert not log._thread.is_alive()
