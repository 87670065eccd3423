"""Indexing and pruning beside a recording: when they act, and what becomes of their faults."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from replayproxy.store import Rules, Upkeep, search
from replayproxy.store.connection import open_for_writing
from replayproxy.store.search import Indexing, index
from replayproxy.store.upkeep import Chores
from tests.builders import asking, written


def never(reason: str) -> None:
    pytest.fail(reason)


def test_it_waits_until_nothing_was_written_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = 100.0
    monkeypatch.setattr("replayproxy.store.search.indexing.time.monotonic", lambda: now_s)
    path = written(tmp_path / "a.db", {"request": asking("hello")})
    indexing = Indexing(quiet_s=1.0)
    with closing(open_for_writing(path).conn) as connection:

        def waits() -> bool:
            indexing.step(connection, never)
            return search.waiting(connection) == 1

        assert waits()
        now_s += 0.9
        connection.execute("UPDATE exchanges SET tag = 'x'")  # somebody writes
        connection.commit()
        assert waits()
        now_s += 0.9
        assert waits()
        now_s += 0.2
        assert not waits()
        assert indexing.due_s > now_s


def test_a_fault_is_told_and_tried_again_later(tmp_path: Path) -> None:
    path = written(tmp_path / "a.db", {"request": asking("hello")})
    told: list[str] = []
    indexing = Indexing(quiet_s=0.0)
    with closing(open_for_writing(path).conn) as connection:
        with closing(sqlite3.connect(path)) as other:
            other.execute("BEGIN IMMEDIATE")
            connection.execute("PRAGMA busy_timeout = 0")
            indexing.step(connection, told.append)
        assert not connection.in_transaction
        indexing.due_s = 0.0
        indexing.step(connection, told.append)

        assert search.waiting(connection) == 0
    (said,) = told
    assert "could not be indexed for search" in said
    assert "database is locked" in said


def test_several_chores_are_due_when_the_first_of_them_is(tmp_path: Path) -> None:
    upkeep, indexing = Upkeep(tmp_path / "a.db", Rules), Indexing(quiet_s=50.0)

    chores = Chores(indexing, upkeep)

    assert chores.due_s == upkeep.due_s < indexing.due_s


def test_words_of_what_is_pruned_all_the_time_leave_the_file_now_and_then(tmp_path: Path) -> None:
    path = written(tmp_path / "a.db", *({"request": asking(f"zebra{n}")} for n in range(4)))
    search.catch_up(path)
    keep = 3
    upkeep = Upkeep(path, lambda: Rules(keep=keep), every_s=0.0)
    with closing(open_for_writing(path).conn) as connection:

        def pruned(number: int) -> None:
            while upkeep.exchanges < number or upkeep._current:
                upkeep.due_s = 0.0
                upkeep.step(connection, never)

        def purged() -> int:
            """How many pieces the index is in: one, if it was written anew."""
            (count,) = connection.execute("SELECT count(DISTINCT segid) FROM search_idx").fetchone()
            return int(count)

        pruned(1)
        assert purged() == 1
        keep = 2
        pruned(2)
        assert purged() > 1
        upkeep._purge_due_s = 0.0
        keep = 1
        pruned(3)
        assert purged() == 1
        assert index.waiting(connection) == 0
