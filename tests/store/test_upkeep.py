"""Upkeep: a recorder that prunes loses nothing by it, whatever becomes of the pruning."""

import random
import sqlite3
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from replayproxy.model import Ending
from replayproxy.store import Rules, Store, Upkeep, Writer, prune
from tests.builders import NOON, a_request, asking, chunks, eventually, record, says, written

HELLO = chunks((5, says("Hello")))


def ids(path: Path) -> list[int]:
    with Store(path) as store:
        return [row["id"] for row in store.rows()]


def size_of(path: Path) -> int:
    """Once what is free in it has been given back."""
    return prune(path, Rules(), dry_run=True).bytes_used


def test_it_prunes_at_the_start(tmp_path: Path) -> None:
    path = written(tmp_path / "a.db", *({"request": asking(str(n))} for n in range(9)))
    upkeep = Upkeep(path, lambda: Rules(keep=2))

    writer = Writer(path, upkeep=upkeep)
    eventually(lambda: ids(path) == [8, 9])
    writer.close()

    assert (upkeep.exchanges, writer.recorded, writer.not_recorded) == (7, 0, 0)


def test_it_prunes_again_and_again_what_is_not_running(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    rules: list[Rules] = []

    def newest_three() -> Rules:
        rules.append(Rules(keep=3))
        return rules[-1]

    upkeep = Upkeep(path, newest_three, every_s=0.01)
    writer = Writer(path, upkeep=upkeep)
    running = record(writer, *HELLO, request=asking("running"), ending=None)
    for number in range(200):
        record(writer, *HELLO, request=asking(str(number)))
        time.sleep(0.002)
    eventually(lambda: upkeep.exchanges == 200 - 3)
    running.chunk(7, says("still here"))
    running.end(Ending.FINISHED, 9)
    eventually(lambda: writer.recorded == 201)
    writer.close()

    assert (writer.recorded, writer.not_recorded) == (201, 0)
    assert len(rules) > 3
    with Store(path) as store:
        assert [store.chunks(id_) for id_ in ids(path)][-3:] == [HELLO] * 3
    with closing(sqlite3.connect(path)) as opened:
        assert opened.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_file_that_is_recorded_into_stays_small(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    limit = 600_000
    upkeep = Upkeep(path, lambda: Rules(max_bytes=limit), every_s=0.01)
    writer = Writer(path, upkeep=upkeep)
    sizes: list[int] = []
    for number in range(60):
        noise = random.Random(number).randbytes(20_000)
        record(writer, *HELLO, request=a_request(body=noise))
        eventually(lambda: writer.recorded > len(sizes))
        sizes.append(path.stat().st_size)
    eventually(lambda: size_of(path) <= limit)
    writer.close()

    assert writer.not_recorded == 0
    assert upkeep.exchanges > 20
    assert max(sizes) < 2 * limit
    assert path.stat().st_size < 1.1 * limit
    assert ids(path)[-1] == 60


def test_rules_for_one_cassette_leave_the_others_alone(tmp_path: Path) -> None:
    path = written(
        tmp_path / "a.db",
        *({"cassette": name, "started_at": NOON} for name in ("mine", "golden", "mine")),
    )
    upkeep = Upkeep(path, lambda: Rules(before=NOON + timedelta(days=1), cassette="mine"))

    writer = Writer(path, upkeep=upkeep)
    eventually(lambda: upkeep.exchanges)
    writer.close()

    assert ids(path) == [2]


def test_a_fault_is_told_once_and_costs_no_recording(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    calls = []

    def faulty() -> Rules:
        calls.append(1)
        raise ValueError("no such rule")

    writer = Writer(tmp_path / "a.db", upkeep=Upkeep(tmp_path / "a.db", faulty, every_s=0.001))
    for number in range(5):
        record(writer, *HELLO, request=asking(str(number)))
    eventually(lambda: len(calls) > 3)
    writer.close()

    assert (writer.recorded, writer.not_recorded) == (5, 0)
    (complaint,) = caplog.records
    assert complaint.getMessage() == (
        "replayproxy: old exchanges could not be pruned: ValueError('no such rule') "
        "(the traffic is not affected)"
    )


def test_a_fault_in_a_transaction_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = written(tmp_path / "a.db", *({"request": asking(str(n))} for n in range(9)))

    def fault(pruning: object, body_id: int) -> int:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr("replayproxy.store.pruning.Pruning._delete_body", fault)
    upkeep = Upkeep(path, lambda: Rules(keep=0), every_s=0.01)
    writer = Writer(path, upkeep=upkeep)
    eventually(lambda: "disk I/O error" in caplog.text)
    record(writer, *HELLO, request=asking("new"))
    writer.close()

    assert (writer.recorded, writer.not_recorded, upkeep.exchanges) == (1, 0, 0)
    assert ids(path) == list(range(1, 11))


def test_what_comes_while_it_prunes_is_stored_in_between(tmp_path: Path) -> None:
    path = written(tmp_path / "a.db", *({"request": asking(str(n))} for n in range(3_000)))
    upkeep = Upkeep(path, lambda: Rules(keep=0), every_s=100)

    writer = Writer(path, upkeep=upkeep)
    seen: list[int] = []
    for number in range(5):
        record(writer, *HELLO, request=asking(f"new {number}"))
        eventually(lambda: writer.recorded > len(seen))
        seen.append(upkeep.exchanges)
    eventually(lambda: upkeep.exchanges == 3_000)
    writer.close()

    assert seen[0] < 3_000
    assert len(ids(path)) == 5
