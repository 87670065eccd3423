"""Pruning: what is meant goes, the rest stays whole, and the file really gets smaller."""

import random
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replayproxy.errors import DatabaseError, UnknownExchangeError
from replayproxy.model import Ending, Outcome
from replayproxy.store import Rules, Store, Writer, delete, prune, space
from replayproxy.store.connection import register_functions
from replayproxy.store.pruning import Pruning
from tests.builders import (
    NOON,
    a_request,
    asking,
    chunks,
    eventually,
    record,
    says,
    written,
)

ROOT = Path(__file__).parents[2]
HOUR = timedelta(hours=1)
EVERYTHING = Rules(keep=0)
SHARED = b"what every answer says" * 10


def noise(seed: int, size: int) -> bytes:
    """Bytes that no compression makes smaller."""
    return random.Random(seed).randbytes(size)


def numbered(number: int, *, size: int = 2_000, **given: Any) -> dict[str, Any]:
    """An exchange that started so many hours after noon, with bodies of its own."""
    return {
        "request": a_request(body=noise(2 * number, size)),
        "body": chunks((5, noise(2 * number + 1, size))),
        "started_at": NOON + number * HOUR,
        **given,
    }


def ids(path: Path) -> list[int]:
    with Store(path) as store:
        return [row["id"] for row in store.rows()]


def count(path: Path, table: str) -> int:
    with closing(sqlite3.connect(path)) as opened:
        (number,) = opened.execute(f"SELECT count(*) FROM {table}").fetchone()
    return int(number)


def is_sound(path: Path) -> bool:
    """No damage, nothing that refers to nothing, no body that nobody refers to."""
    with closing(sqlite3.connect(path)) as opened:
        return (
            opened.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            and opened.execute("PRAGMA foreign_key_check").fetchall() == []
            and opened.execute(
                """SELECT id FROM bodies EXCEPT SELECT body_id FROM requests
                EXCEPT SELECT body_id FROM responses"""
            ).fetchall()
            == []
        )


def older_file(path: Path) -> Path:
    """The database as versions without `auto_vacuum` made it."""
    with closing(sqlite3.connect(path)) as opened:
        opened.execute("PRAGMA auto_vacuum = NONE")
        opened.execute("VACUUM")
        assert opened.execute("PRAGMA auto_vacuum").fetchone() == (0,)
    return path


# -- which ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "left"),
    [
        (Rules(), [1, 2, 3, 4, 5, 6]),
        (Rules(keep=6), [1, 2, 3, 4, 5, 6]),
        (Rules(keep=2), [5, 6]),
        (Rules(keep=0), []),
        (Rules(before=NOON), [1, 2, 3, 4, 5, 6]),
        (Rules(before=NOON + 2 * HOUR), [3, 4, 5, 6]),
        (Rules(before=NOON + 9 * HOUR), []),
        (Rules(before=NOON + 2 * HOUR, keep=5), [3, 4, 5, 6]),
        (Rules(before=NOON + HOUR, keep=3), [4, 5, 6]),
        (Rules(keep=0, cassette="odd"), [1, 3, 5]),
        (Rules(keep=2, cassette="odd"), [1, 3, 4, 5, 6]),
        (Rules(before=NOON + 4 * HOUR, cassette="odd"), [1, 3, 5, 6]),
        (Rules(keep=0, cassette="unheard of"), [1, 2, 3, 4, 5, 6]),
        (Rules(max_bytes=10**9), [1, 2, 3, 4, 5, 6]),
        (Rules(max_bytes=1), []),
        (Rules(max_bytes=1, cassette="odd"), [1, 3, 5]),
        (Rules(max_bytes=1, keep=3), []),
    ],
)
def test_whatever_any_rule_says_goes(tmp_path: Path, rules: Rules, left: list[int]) -> None:
    path = written(
        tmp_path / "a.db",
        *(numbered(n, cassette="odd" if n % 2 else "default") for n in range(6)),
    )

    foreseen = prune(path, rules, dry_run=True)
    pruned = prune(path, rules)

    assert ids(path) == left
    assert (pruned.exchanges, pruned.bodies) == (6 - len(left), 2 * (6 - len(left)))
    assert (foreseen.exchanges, foreseen.bodies) == (pruned.exchanges, pruned.bodies)
    assert is_sound(path)


def test_only_the_named_ones_are_deleted(tmp_path: Path) -> None:
    path = written(tmp_path / "a.db", *(numbered(n) for n in range(4)))
    with Store(path) as store:
        kept = {id_: (store.exchange(id_), store.chunks(id_)) for id_ in (1, 4)}

    pruned = delete(path, [2, 3, 2])

    assert (pruned.exchanges, pruned.bodies, pruned.bytes_free_inside) == (2, 4, 0)
    with Store(path) as store:
        assert {i: (store.exchange(i), store.chunks(i)) for i in ids(path)} == kept
    assert is_sound(path)


@pytest.mark.parametrize("dry_run", [False, True])
def test_of_an_unknown_id_nothing_is_deleted(tmp_path: Path, dry_run: bool) -> None:
    path = written(tmp_path / "a.db", numbered(0))

    with pytest.raises(UnknownExchangeError, match="has no exchange 7"):
        delete(path, [1, 7], dry_run=dry_run)

    assert ids(path) == [1]


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_database_that_is_not_there_is_not_made(tmp_path: Path, dry_run: bool) -> None:
    with pytest.raises(DatabaseError, match="it does not exist"):
        prune(tmp_path / "a.db", EVERYTHING, dry_run=dry_run)

    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_changes_nothing(tmp_path: Path) -> None:
    path = written(tmp_path / "a.db", *(numbered(n) for n in range(9)))
    before = path.read_bytes()

    for rules in (Rules(keep=3), Rules(before=NOON + HOUR), Rules(max_bytes=1)):
        prune(path, rules, dry_run=True)
    delete(path, [1, 2], dry_run=True)

    assert path.read_bytes() == before


# -- bodies -----------------------------------------------------------------------------------


def test_a_body_goes_with_the_last_exchange_that_refers_to_it(tmp_path: Path) -> None:
    shared = chunks((5, SHARED))
    path = written(
        tmp_path / "a.db",
        {"request": asking("1"), "body": shared},
        {"request": asking("2"), "body": shared},
        {"request": a_request(body=SHARED), "body": shared},
    )

    for exchange_id, bodies, left in ((1, 1, 2), (3, 0, 2), (2, 2, 0)):
        foreseen = delete(path, [exchange_id], dry_run=True)
        pruned = delete(path, [exchange_id])

        assert (pruned.bodies, foreseen.bodies) == (bodies, bodies)
        assert count(path, "bodies") == left
        with Store(path) as store:
            assert [store.chunks(id_) for id_ in ids(path)] == [shared] * len(ids(path))
        assert is_sound(path)


def test_a_shared_body_that_goes_with_all_its_exchanges_is_counted_once(tmp_path: Path) -> None:
    path = written(
        tmp_path / "a.db", *({"request": asking("x"), "body": chunks((5, SHARED))} for _ in "abcd")
    )

    foreseen = prune(path, EVERYTHING, dry_run=True)
    pruned = prune(path, EVERYTHING)

    assert (foreseen.exchanges, foreseen.bodies) == (pruned.exchanges, pruned.bodies) == (4, 2)


recordings = st.lists(
    st.tuples(st.sampled_from([b"", b"a", b"b", b"c"]), st.sampled_from([b"", b"a", b"b", b"d"])),
    min_size=1,
    max_size=8,
)


@settings(max_examples=40)
@given(recordings, st.data())
def test_what_is_kept_is_kept_whole(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[bytes, bytes]], data: st.DataObject
) -> None:
    path = written(
        tmp_path_factory.mktemp("some") / "a.db",
        *(
            {"request": a_request(body=asked), "body": chunks((5, got)) if got else ()}
            for asked, got in pairs
        ),
    )
    gone = data.draw(st.sets(st.integers(1, len(pairs))))

    foreseen = delete(path, gone, dry_run=True)
    pruned = delete(path, gone)

    kept = [n for n in range(1, len(pairs) + 1) if n not in gone]
    with Store(path) as store:
        assert [
            (store.exchange(n).request.body, b"".join(chunk.data for chunk in store.chunks(n)))
            for n in ids(path)
        ] == [pairs[n - 1] for n in kept]
    assert (foreseen.exchanges, foreseen.bodies) == (pruned.exchanges, pruned.bodies)
    assert is_sound(path)


# -- space ------------------------------------------------------------------------------------


def test_the_space_really_comes_back(tmp_path: Path) -> None:
    path = written(tmp_path / "a.db", *(numbered(n, size=20_000) for n in range(60)))
    before = path.stat().st_size

    foreseen = prune(path, Rules(keep=15), dry_run=True)
    pruned = prune(path, Rules(keep=15))

    assert before - path.stat().st_size == pruned.bytes_freed > 0.65 * before
    assert path.stat().st_size == pruned.bytes_used
    assert foreseen.bytes_freed == pytest.approx(pruned.bytes_freed, rel=0.1)
    assert (pruned.bytes_free_inside, pruned.undone) == (0, None)
    assert [file.name for file in tmp_path.iterdir()] == ["a.db"]


@pytest.mark.parametrize("size", [300, 2_000, 30_000])
def test_the_file_is_no_larger_than_was_asked_for_and_not_much_smaller(
    tmp_path: Path, size: int
) -> None:
    path = written(tmp_path / "a.db", *(numbered(n, size=size) for n in range(200)))
    limit = (path.stat().st_size + 150_000) // 2

    foreseen = prune(path, Rules(max_bytes=limit), dry_run=True)
    pruned = prune(path, Rules(max_bytes=limit))

    assert limit - 40_000 - 2 * size < path.stat().st_size <= limit
    assert foreseen.bytes_freed == pytest.approx(pruned.bytes_freed, abs=100_000)
    left = ids(path)
    assert left == list(range(201 - len(left), 201))  # the newest
    assert prune(path, Rules(max_bytes=limit)).exchanges == 0


def test_free_pages_leave_the_file_also_when_there_are_many_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("replayproxy.store.pruning._FREE_ENOUGH_BYTES", 50_000)
    monkeypatch.setattr("replayproxy.store.pruning._MAX_EXCHANGES", 3)
    path = written(tmp_path / "a.db", *(numbered(n, size=20_000) for n in range(30)))

    pruned = prune(path, Rules(keep=5))

    assert path.stat().st_size == pruned.bytes_used < 480_000
    assert ids(path) == [26, 27, 28, 29, 30]
    assert is_sound(path)


def test_what_was_deleted_is_not_in_the_file_any_more(tmp_path: Path) -> None:
    secrets = [f"canary-{n}-{'x' * 30}" for n in range(40)]
    path = written(
        tmp_path / "a.db",
        *({"request": a_request(path=f"/{secret}")} for secret in secrets),
    )
    assert all(secret.encode() in path.read_bytes() for secret in secrets)

    delete(path, range(1, 40))

    left = path.read_bytes()
    assert [secret for secret in secrets if secret.encode() in left] == secrets[39:]


def test_an_older_file_is_written_anew_and_can_shrink_from_then_on(tmp_path: Path) -> None:
    path = older_file(written(tmp_path / "a.db", *(numbered(n, size=20_000) for n in range(20))))
    before = path.stat().st_size

    pruned = prune(path, Rules(keep=10))

    assert before - path.stat().st_size == pruned.bytes_freed > before / 3
    assert (ids(path), pruned.undone) == (list(range(11, 21)), None)
    with closing(sqlite3.connect(path)) as opened:
        assert opened.execute("PRAGMA auto_vacuum").fetchone() == (2,)
    assert is_sound(path)


def test_an_older_file_keeps_its_free_space_while_somebody_records(tmp_path: Path) -> None:
    path = older_file(written(tmp_path / "a.db", *(numbered(n, size=20_000) for n in range(20))))
    before = path.stat().st_size
    writer = Writer(path)

    pruned = prune(path, Rules(max_bytes=before // 2))

    assert pruned.exchanges == pytest.approx(10, abs=3)
    assert (pruned.bytes_freed, path.stat().st_size >= before) == (0, True)
    assert pruned.bytes_free_inside > before / 3
    assert pruned.undone is not None
    assert "only when nobody records" in pruned.undone
    writer.close()


def test_an_older_file_that_cannot_be_written_anew_is_pruned_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = older_file(written(tmp_path / "a.db", *(numbered(n) for n in range(3))))

    def no_room(connection: sqlite3.Connection) -> int:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(space, "rewrite", no_room)

    pruned = prune(path, EVERYTHING)

    assert (pruned.exchanges, ids(path)) == (3, [])
    assert str(pruned.undone).endswith("database or disk is full")


# -- beside others ----------------------------------------------------------------------------


def test_a_running_exchange_stays_and_can_go_on(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    writer = Writer(path)
    record(writer, *chunks((5, SHARED)), request=asking("done"))
    tape = record(writer, *chunks((5, says("run"))), request=asking("running"), ending=None)
    with Store(path) as store:
        eventually(lambda: store.chunks(2))
    eventually(lambda: writer.recorded == 1)

    prunings = [
        prune(path, EVERYTHING, dry_run=True),
        prune(path, EVERYTHING),
        prune(path, Rules(max_bytes=1)),
        delete(path, [2]),
    ]

    assert [(p.exchanges, p.still_running) for p in prunings] == [(1, 1), (1, 1), (0, 0), (0, 1)]
    assert ids(path) == [2]
    tape.chunk(7, says("ning"))
    tape.end(Ending.FINISHED, 9)
    writer.close()

    assert (writer.recorded, writer.not_recorded) == (2, 0)
    with Store(path) as store:
        assert store.chunks(2) == chunks((5, says("run")), (7, says("ning")))
    assert is_sound(path)


KILLED = """
import os, signal, sys
from pathlib import Path
from replayproxy.store import Store, Writer
from tests.builders import asking, chunks, eventually, record

writer = Writer(Path(sys.argv[1]))
record(writer, *chunks((5, b"cut")), request=asking("killed"), ending=None)
with Store(Path(sys.argv[1])) as store:
    eventually(lambda: store.chunks(1))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_dead_run_left_open_goes(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    subprocess.run([sys.executable, "-c", KILLED, str(path)], cwd=ROOT, timeout=60, check=False)
    with Store(path) as store:
        assert store.exchange(1).outcome is None

    foreseen = prune(path, EVERYTHING, dry_run=True)
    pruned = prune(path, EVERYTHING)

    assert (foreseen.exchanges, pruned.exchanges, pruned.still_running) == (1, 1, 0)
    assert [count(path, name) for name in ("journal", "requests", "bodies")] == [0, 0, 0]
    Writer(path).close()


def test_no_transaction_holds_a_recorder_up_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "a.db", *(numbered(n, size=500) for n in range(1_000)))
    monkeypatch.setattr("replayproxy.store.pruning._TRANSACTION_S", 0.005)
    counted: list[int] = []

    class Counting(sqlite3.Connection):
        def commit(self) -> None:
            (left,) = self.execute("SELECT count(*) FROM exchanges").fetchone()
            counted.append(left)
            super().commit()

    with closing(sqlite3.connect(path, factory=Counting)) as connection:
        register_functions(connection)
        connection.execute("PRAGMA foreign_keys = ON")
        for _ in Pruning(connection, path, EVERYTHING).steps():
            assert not connection.in_transaction

    assert counted[-1] == 0
    assert max(before - after for before, after in pairwise([1_000, *counted])) <= 200
    assert len(set(counted)) >= 5


def test_an_open_reader_is_waited_for_by_nobody(tmp_path: Path) -> None:
    path = written(tmp_path / "a.db", *(numbered(n, size=20_000) for n in range(20)))
    before = path.stat().st_size
    with closing(sqlite3.connect(path)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM exchanges").fetchone() == (20,)

        started = time.monotonic()
        pruned = prune(path, Rules(keep=10))

        assert time.monotonic() - started < 3
        assert pruned.exchanges == 10
        assert "shrinks once it has done so" in str(pruned.undone)
        assert reader.execute("SELECT count(*) FROM exchanges").fetchone() == (20,)

    assert prune(path, Rules(keep=10)).undone is None
    assert path.stat().st_size < 0.7 * before
    assert is_sound(path)


def test_a_reader_that_never_ends_does_not_let_the_wal_file_grow_without_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "a.db", *(numbered(n, size=20_000) for n in range(60)))
    monkeypatch.setattr(space, "MAX_WAL_BYTES", 100_000)
    monkeypatch.setattr("replayproxy.store.pruning._MAX_EXCHANGES", 5)
    with closing(sqlite3.connect(path)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM exchanges").fetchone()

        pruned = prune(path, EVERYTHING)

        assert 0 < pruned.exchanges < 60
        assert str(pruned.undone).startswith("not finished")
        assert (tmp_path / "a.db-wal").stat().st_size < 432_000
    assert is_sound(path)
    assert prune(path, EVERYTHING).exchanges == 60 - pruned.exchanges


def test_an_id_is_never_given_again(tmp_path: Path) -> None:
    path = written(tmp_path / "a.db", numbered(0))
    delete(path, [1])

    written(path, numbered(5))

    assert ids(path) == [2]


def test_several_can_prune_while_others_record(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    writers = [Writer(path), Writer(path)]
    stop = threading.Event()
    faults: list[Exception] = []

    def keep_pruning() -> None:
        try:
            while not stop.is_set():
                prune(path, Rules(keep=20))
        except Exception as fault:  # noqa: BLE001 (it is what the test asks for)
            faults.append(fault)

    threads = [threading.Thread(target=keep_pruning) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(300):
        for which, writer in enumerate(writers):
            record(writer, *chunks((5, SHARED)), request=asking(f"{which} {number}"))
        time.sleep(0.002)
    for writer in writers:
        writer.close()
    stop.set()
    for thread in threads:
        thread.join()
    prune(path, Rules(keep=20))

    assert faults == []
    assert [(writer.recorded, writer.not_recorded) for writer in writers] == [(300, 0)] * 2
    with Store(path) as store:
        kept = [store.exchange(id_) for id_ in ids(path)]
        assert [store.chunks(exchange.id or 0) for exchange in kept] == [chunks((5, SHARED))] * 20
    assert {exchange.outcome for exchange in kept} == {Outcome.UPSTREAM_CLOSED}
    assert count(path, "bodies") == 21
    assert is_sound(path)


def test_any_part_of_a_growing_history_can_go_and_the_rest_is_whole(tmp_path: Path) -> None:
    said = [noise(number, 1_000).hex() for number in range(20)]
    sent = ["\n".join(said[: 5 + turn]).encode() for turn in range(12)]
    path = tmp_path / "a.db"
    writer = Writer(path)
    for number, body in enumerate(sent, 1):
        record(writer, request=a_request(body=body))
        eventually(lambda: writer.recorded == number)  # noqa: B023
    writer.close()
    assert stored_against(path) == 10  # but for the first, and the one that is too many hops away

    delete(path, [3, 12])
    prune(path, Rules(keep=4))

    with Store(path) as store:
        kept = [store.exchange(exchange_id).request.body for exchange_id in ids(path)]
    assert kept == sent[7:11]
    assert count(path, "bodies") == 4
    assert stored_against(path) < 4


def stored_against(path: Path) -> int:
    with closing(sqlite3.connect(path)) as opened:
        (number,) = opened.execute("SELECT count(base_id) FROM bodies").fetchone()
        return int(number)
