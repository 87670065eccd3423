"""What goes wrong while recording: what is lost for it, what is not, and what is said."""

import logging
import random
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import pytest

from replayproxy.errors import DatabaseError
from replayproxy.model import Ending, Exchange, Outcome
from replayproxy.protocols import openai_chat
from replayproxy.store import Store, Writer, connection
from replayproxy.store.reel import Reel
from tests.builders import (
    DONE,
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


def wait_for(writer: Writer, recorded: int) -> None:
    eventually(lambda: writer.recorded == recorded)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another program writes, and does not let go."""
    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.rollback()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite waits for a lock for a moment only."""
    monkeypatch.setattr(connection, "BUSY_TIMEOUT_S", 0.02)


def cannot_be_written(caplog: pytest.LogCaptureFixture) -> bool:
    return "trying again" in caplog.text


@pytest.mark.usefixtures("impatient")
def test_while_another_program_holds_the_database_nothing_is_lost(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.db"
    writer = Writer(path)

    with locked(path):
        tape = record(writer, *HELLO[:1], request=asking("0"), ending=None)
        eventually(lambda: cannot_be_written(caplog))
        tape.chunk(HELLO[1].offset_ns, HELLO[1].data)
        tape.end(Ending.FINISHED, 10_000_000)
        for number in range(1, 20):
            record(writer, *HELLO, request=asking(str(number)))
        with Store(path) as store:  # readers are never held up
            assert list(store.rows()) == []
    eventually(lambda: writer.recorded == 20)
    writer.close()

    assert writer.not_recorded == 0
    with Store(path) as store:
        assert [store.chunks(row["id"]) for row in store.rows()] == [HELLO] * 20
    complaints = [entry for entry in caplog.records if entry.levelno >= logging.ERROR]
    complaint = f"the database {path} cannot be written: database is locked; trying again"
    assert [entry.getMessage() for entry in complaints] == [
        f"replayproxy: {complaint} (the traffic is not affected)"
    ]


def test_a_full_disk_costs_nothing_once_there_is_room_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.db"
    writer = Writer(path)
    tape = record(writer, *HELLO[:1], ending=None)
    with Store(path) as store:
        eventually(lambda: store.chunks(1))
    (limit,) = writer._connection.execute("PRAGMA page_count").fetchone()
    writer._connection.execute(f"PRAGMA max_page_count = {limit}")
    noise = b": " + random.Random(7).randbytes(200_000).hex().encode() + b"\n\n"

    tape.chunk(6_000_000, noise)
    eventually(lambda: "disk is full" in caplog.text)
    tape.chunk(HELLO[1].offset_ns, HELLO[1].data)
    tape.end(Ending.FINISHED, 10_000_000)
    writer._connection.execute("PRAGMA max_page_count = 1000000")
    eventually(lambda: writer.recorded)
    writer.close()

    exchange, found = only_exchange(path)
    assert exchange.outcome is Outcome.COMPLETED
    assert found == (HELLO[0], *chunks((6_000_000, noise)), HELLO[1])
    assert writer.not_recorded == 0


@pytest.mark.usefixtures("impatient")
def test_past_the_limit_recordings_are_given_up_and_counted_and_memory_is_bounded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.db"
    writer = Writer(path, max_waiting_bytes=1_000)

    with locked(path):
        begun = record(writer, *chunks((5, b"x" * 600)), ending=None)
        eventually(lambda: cannot_be_written(caplog))
        for number in range(6, 1_000):
            begun.chunk(number, b"x" * 300)
        late = record(writer, *HELLO, request=asking("z" * 500))
        assert (begun.ended, late.ended, list(late.items)) == (True, True, [])
        assert sum(len(getattr(item, "data", b"")) for item in begun.items) <= 600
    writer.close()

    assert (writer.recorded, writer.not_recorded) == (1, 2)
    exchange, found = only_exchange(path)
    assert exchange.outcome is Outcome.INTERRUPTED
    assert exchange.error == "given up: the database could not be written fast enough"
    assert b"".join(chunk.data for chunk in found) == b"x" * 1_200
    assert caplog.text.count("recordings given up") == 1


def test_once_it_was_written_there_is_room_again(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "a.db", max_waiting_bytes=1_000)

    for number in range(5):
        record(writer, *chunks((5, b"x" * 900)), request=a_request(path=f"/{number}"))
        wait_for(writer, number + 1)
    writer.close()

    assert writer.not_recorded == 0


@pytest.mark.usefixtures("impatient")
def test_closing_has_patience_with_a_lock(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "a.db"
    writer = Writer(path)
    closing_it = threading.Thread(target=writer.close)

    with locked(path):
        record(writer, *HELLO)
        closing_it.start()
        eventually(lambda: cannot_be_written(caplog))
    closing_it.join()

    assert (writer.recorded, writer.not_recorded) == (1, 0)
    assert only_exchange(path)[1] == HELLO


@pytest.mark.usefixtures("impatient")
def test_what_cannot_be_stored_before_patience_ends_is_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.db"
    writer = Writer(path)

    with locked(path):
        record(writer, *HELLO, request=asking("1"))
        record(writer, *HELLO, request=asking("2"), ending=None)
        writer.close(patience_s=0)

    assert (writer.recorded, writer.not_recorded) == (0, 2)
    assert "cannot be closed in order" in caplog.text
    Writer(path).close()  # the lock is gone, and so is the trouble


class Fault(Exception):
    """Something nobody thought of."""


def fails_for(path: str, method: str, monkeypatch: pytest.MonkeyPatch, *, after: int = 0) -> None:
    """Make a method of the reel raise for requests of this path, from the n-th call on."""
    original, calls = getattr(Reel, method), [0]

    def faulty(self: Reel, *args: object) -> object:
        if self._request.path == path:
            calls[0] += 1
            if calls[0] > after:
                raise Fault
        return original(self, *args)

    monkeypatch.setattr(Reel, method, faulty)


@pytest.mark.parametrize("method", ["take", "save"])
def test_a_fault_of_ours_costs_one_exchange_only(
    tmp_path: Path,
    method: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    fails_for("/bad", method, monkeypatch)
    writer = Writer(tmp_path / "a.db")

    for path in ("/first", "/bad", "/last"):
        record(writer, *HELLO, request=a_request(path=path))
    writer.close()

    assert (writer.recorded, writer.not_recorded) == (2, 1)
    with Store(tmp_path / "a.db") as store:
        assert [row["path"] for row in store.rows()] == ["/first", "/last"]
    assert caplog.text.count("an exchange was not recorded: Fault()") == 1


@pytest.mark.parametrize("method", ["take", "save"])
def test_a_fault_in_mid_stream_leaves_what_was_stored_and_lets_the_rest_go(
    tmp_path: Path, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails_for("/bad", method, monkeypatch, after=1)
    writer = Writer(tmp_path / "a.db", max_waiting_bytes=10_000)
    tape = record(writer, HELLO[0], request=a_request(path="/bad"), ending=None)
    with Store(tmp_path / "a.db") as store:
        eventually(lambda: store.chunks(1))

    tape.chunk(6_000_000, b"x" * 9_000)
    eventually(lambda: writer.not_recorded)
    tape.chunk(7_000_000, b"let go")
    for number, size in enumerate((1, 9_000), start=1):  # the lost bytes take up no room
        record(writer, *chunks((5, b"x" * size)))
        wait_for(writer, number)
    writer.close()

    assert (tape.ended, len(tape.items)) == (True, 0)
    assert writer.not_recorded == 1
    with Store(tmp_path / "a.db") as store:
        outcomes = [row["outcome"] for row in store.rows()]
        assert outcomes == ["interrupted", "upstream_closed", "upstream_closed"]
        assert store.chunks(1) == HELLO[:1]


def test_what_came_while_an_exchange_was_given_up_does_not_begin_it_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saving, go_on = threading.Event(), threading.Event()

    def faulty(self: Reel, opened: sqlite3.Connection, key: bytes) -> None:
        saving.set()
        go_on.wait()
        raise Fault

    monkeypatch.setattr(Reel, "save", faulty)
    writer = Writer(tmp_path / "a.db")
    tape = record(writer, HELLO[0], ending=None)
    saving.wait()
    tape.chunk(HELLO[1].offset_ns, HELLO[1].data)
    go_on.set()
    eventually(lambda: not tape.items)
    monkeypatch.undo()
    writer.close()

    assert (writer.recorded, writer.not_recorded) == (0, 1)
    with Store(tmp_path / "a.db") as store:
        assert list(store.rows()) == []


def test_a_damaged_page_is_no_fault_of_the_exchange_that_met_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def damaged(self: Reel, opened: sqlite3.Connection, key: bytes) -> None:
        monkeypatch.undo()  # the second attempt is the real one
        raise sqlite3.DatabaseError("database disk image is malformed")

    monkeypatch.setattr(Reel, "save", damaged)
    writer = Writer(tmp_path / "a.db")
    record(writer, *HELLO)
    wait_for(writer, 1)
    writer.close()

    assert writer.not_recorded == 0
    assert "malformed; trying again" in caplog.text


@pytest.mark.parametrize("method", ["_save", "_settle"])
def test_a_fault_of_the_writer_itself_does_not_end_the_recording(
    tmp_path: Path,
    method: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def faulty(self: Writer, *_: object) -> bool:
        raise Fault

    monkeypatch.setattr(Writer, method, faulty)
    writer = Writer(tmp_path / "a.db")
    record(writer, *HELLO, request=asking("1"))
    eventually(lambda: "Fault()" in caplog.text)
    monkeypatch.undo()
    record(writer, *HELLO, request=asking("2"))
    wait_for(writer, 1)
    writer.close()

    with Store(tmp_path / "a.db") as store:
        assert asking("2") in [store.exchange(row["id"]).request for row in store.rows()]


def test_an_answer_that_could_not_be_read_is_kept_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def faulty(*_: object) -> bool:
        raise Fault

    monkeypatch.setattr(openai_chat._Reader, "read_event", faulty)
    written(tmp_path / "a.db", {"body": HELLO})

    assert only_exchange(tmp_path / "a.db")[1] == HELLO
    assert "an answer was kept, but not understood: Fault()" in caplog.text


def test_a_database_that_lost_a_table_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "a.db")
    with closing(sqlite3.connect(path)) as other:
        other.execute("DROP TABLE settings")
        other.commit()

    with pytest.raises(DatabaseError, match="no such table: settings"):
        Writer(path)


@pytest.mark.parametrize("hook", ["enrich", "on_stored"])
def test_a_fault_of_those_who_are_told_stays_theirs(
    tmp_path: Path, hook: str, caplog: pytest.LogCaptureFixture
) -> None:
    def told(who: str, exchange: Exchange) -> Exchange:
        if who == hook and exchange.request.path == "/bad":
            raise Fault
        return exchange

    def on_stored(exchange: Exchange) -> None:
        told("on_stored", exchange)

    writer = Writer(tmp_path / "a.db", enrich=partial(told, "enrich"), on_stored=on_stored)
    for path in ("/bad", "/good"):
        record(writer, *HELLO, request=a_request(path=path))
    writer.close()

    lost = 1 if hook == "enrich" else 0
    assert (writer.recorded, writer.not_recorded) == (2 - lost, lost)
    assert "Fault()" in caplog.text


def test_a_loss_that_others_noticed_is_counted_and_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    writer = Writer(tmp_path / "a.db")
    writer.lose("a hook failed")
    writer.lose("a hook failed")
    writer.close()

    assert writer.not_recorded == 2
    assert caplog.text.count("a hook failed (the traffic is not affected)") == 1
