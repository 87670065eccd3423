"""The writer thread: the only one that writes the database.

Rule: whatever happens to the disk, the traffic never waits. Its thread appends
to a `Tape` and goes on; the writer gathers for a moment, then commits what all
tapes brought in one transaction. While the database can't be written the tapes
stay in memory, up to a limit; past it, recordings are given up and counted.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from replayproxy.key_shapes import KeyTally
from replayproxy.model import Ending, Exchange, Request
from replayproxy.recording import Policy
from replayproxy.store import rollups
from replayproxy.store.connection import as_database_error, fingerprint_key, open_for_writing
from replayproxy.store.faults import is_of_the_disk
from replayproxy.store.histories import Histories
from replayproxy.store.inbox import Inbox
from replayproxy.store.reel import End, Enrich, Reel
from replayproxy.store.run import Run
from replayproxy.store.tape import Tape
from replayproxy.store.upkeep import Chore

logger = logging.getLogger(__name__)

GATHER_S = 0.09
RETRY_S = 0.25
MAX_WAITING_BYTES = 64 * 1024 * 1024
CLOSE_PATIENCE_S = 5.0


@dataclass(slots=True)
class _Spool:
    """A tape and its reel: one exchange in the writer's hands."""

    tape: Tape
    reel: Reel


class Writer:
    """Records exchanges into one database. `close()` stores all that is left.

    Attributes:
        recorded: exchanges stored so far, whatever their outcome.
        not_recorded: exchanges lost, wholly or in part.
        interrupted_before: exchanges that earlier, killed runs had left open.
        keys: what looks like API keys in the bodies stored so far.

    Raises:
        DatabaseError: when it is made and the database cannot be used.
    """

    def __init__(
        self,
        path: Path,
        *,
        policy: Policy | None = None,
        enrich: Enrich = lambda exchange: exchange,
        on_stored: Callable[[Exchange], None] = lambda exchange: None,
        upkeep: Chore | None = None,
        max_waiting_bytes: int = MAX_WAITING_BYTES,
    ) -> None:
        self.path = path
        self.recorded = 0
        self.keys = KeyTally()
        self._policy = policy or Policy()
        self._enrich = enrich
        self._on_stored = on_stored
        self._upkeep = upkeep
        self._max_waiting_bytes = max_waiting_bytes
        # Each of these is added to by one thread only, so that none is ever torn.
        self._submitted_bytes = self._lost_by_traffic = 0
        self._taken_bytes = self._settled_bytes = self._lost_by_writer = 0
        self._complained: set[str] = set()
        self._patience_s = CLOSE_PATIENCE_S
        self._connection = open_for_writing(path).conn
        try:
            with as_database_error(path):
                self._key = fingerprint_key(self._connection)
                self._this_run = Run(self._connection, path, enrich)
                self.interrupted_before = self._this_run.interrupted_before
                self._uncounted = rollups.uncounted(self._connection)
        except BaseException:
            self._connection.close()
            raise
        self._inbox = Inbox()
        self._spools: dict[Tape, _Spool] = {}
        self._histories = Histories()
        self._close_lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="replayproxy-writer", daemon=True)
        self._thread.start()

    @property
    def not_recorded(self) -> int:
        """How many exchanges were lost, wholly or in part."""
        return self._lost_by_traffic + self._lost_by_writer

    # -- the traffic's thread ------------------------------------------------------------------

    def record(self, request: Request, *, started_at: datetime, cassette: str) -> Tape:
        """Begin a recording; the tape takes what comes back."""
        return Tape(
            fits=self._fits,
            submit=self._submit,
            request=request,
            started_at=started_at,
            cassette=cassette,
        )

    def lose(self, reason: str) -> None:
        """Count an exchange that a fault kept from being recorded; says why, once."""
        self._lost_by_traffic += 1
        self._complain(reason)

    def _fits(self, size: int) -> bool:
        """Whether there is room for so many bytes more; if not, the recording is lost."""
        if self._submitted_bytes + size - self._settled_bytes <= self._max_waiting_bytes:
            return True
        self.lose("recordings given up: the database could not be written fast enough")
        return False

    def _submit(self, tape: Tape, size: int) -> None:
        """There is something new on the tape."""
        self._submitted_bytes += size
        if not tape.queued:
            tape.queued = True
            self._inbox.put(tape)

    def close(self, *, patience_s: float = CLOSE_PATIENCE_S) -> None:
        """Store what is left and mark what is still open `interrupted`. Twice does no harm."""
        with self._close_lock:
            if self._thread.is_alive():
                self._patience_s = patience_s
                self._inbox.close()
                self._thread.join()

    # -- the writer's thread -------------------------------------------------------------------

    def _run(self) -> None:
        waiting: dict[Tape, None] = {}
        while not self._inbox.closed:
            with self._surviving(waiting):
                self._gather(waiting)
                if waiting and not self._store(waiting) and not self._inbox.closed:
                    time.sleep(RETRY_S)
                if self._upkeep and not waiting and not self._inbox.closed:
                    self._upkeep.step(self._connection, self._complain)
        self._finish(waiting)

    @contextmanager
    def _surviving(self, waiting: dict[Tape, None]) -> Iterator[None]:
        """A fault of ours costs what is waiting, not the thread: without it nothing is recorded."""
        try:
            yield
        except Exception as error:  # noqa: BLE001
            if self._connection.in_transaction:
                self._connection.rollback()
            if not waiting:
                self._complain(f"a fault of the writer: {error!r}")
            for tape in list(waiting):
                self._give_up(tape, waiting, error)

    def _gather(self, waiting: dict[Tape, None]) -> None:
        """Add the tapes with news to those that wait, or return when something else is due."""
        due_s = self._upkeep.due_s if self._upkeep and not waiting else None
        patience_s = None if due_s is None else max(0.0, due_s - time.monotonic())
        if waiting or self._inbox.wait(patience_s):
            waiting.update(dict.fromkeys(self._inbox.gather(GATHER_S)))

    def _store(self, waiting: dict[Tape, None]) -> bool:
        """Commit what the tapes brought; False if it has to be tried again."""
        spools = [spool for tape in list(waiting) if (spool := self._take(tape, waiting))]
        connection = self._connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            kept = self._save(spools, waiting)
            self._count(kept)
            connection.commit()
        except sqlite3.Error as error:
            if connection.in_transaction:
                connection.rollback()
            self._complain(f"the database {self.path} cannot be written: {error}; trying again")
            return False
        self._settled_bytes = self._taken_bytes
        waiting.clear()
        for spool in list(kept):
            try:
                spool.reel.saved()
            except Exception as error:  # noqa: BLE001 (it costs one recording, not all)
                kept.remove(spool)
                self._give_up(spool.tape, waiting, error)
        for spool in kept:
            self._settle(spool)
        return True

    def _take(self, tape: Tape, waiting: dict[Tape, None]) -> _Spool | None:
        """Move what is on the tape to its reel; None if that failed."""
        tape.queued = False
        items, size = tape.drained()
        self._taken_bytes += size
        if tape.given_up:
            waiting.pop(tape, None)
            return None
        spool = self._spools.get(tape)
        try:
            if spool is None:
                spool = self._spools[tape] = self._spool(tape)
            spool.reel.take(items, self._enrich)
        except Exception as error:  # noqa: BLE001 (it costs one recording, not all)
            self._give_up(tape, waiting, error)
            return None
        return spool

    def _spool(self, tape: Tape) -> _Spool:
        self._taken_bytes += len(tape.request.body)
        reel = Reel(
            request=tape.request,
            started_at=tape.started_at,
            cassette=tape.cassette,
            run_id=self._this_run.id,
            policy=self._policy,
            histories=self._histories,
        )
        return _Spool(tape, reel)

    def _save(self, spools: list[_Spool], waiting: dict[Tape, None]) -> list[_Spool]:
        """Write them; those that could be. At once, and only after a fault one by one."""
        self._connection.execute("SAVEPOINT untouched")
        try:
            for spool in spools:
                spool.reel.save(self._connection, self._key)
        except Exception as error:
            if is_of_the_disk(error):
                raise
            self._complain(f"exchanges could not be stored at once, only one by one: {error!r}")
            self._connection.execute("ROLLBACK TO untouched")
            return [spool for spool in spools if self._save_one(spool, waiting)]
        return spools

    def _save_one(self, spool: _Spool, waiting: dict[Tape, None]) -> bool:
        """Write one exchange; a fault that is its own costs only this one."""
        self._connection.execute("SAVEPOINT exchange")
        try:
            spool.reel.save(self._connection, self._key)
        except Exception as error:
            if is_of_the_disk(error):
                raise
            self._connection.execute("ROLLBACK TO exchange")
            self._give_up(spool.tape, waiting, error)
            return False
        return True

    def _count(self, kept: list[_Spool]) -> None:
        """Once many have ended, add them up."""
        self._uncounted += sum(spool.reel.exchange is not None for spool in kept)
        if self._uncounted >= rollups.FOLD_AT:
            self._fold()

    def _fold(self) -> None:
        """Sums can be made anew: a fault of theirs costs no recording. It is tried again later."""
        self._connection.execute("SAVEPOINT sums")
        try:
            self._uncounted -= rollups.fold(self._connection)
        except Exception as error:
            if is_of_the_disk(error):
                raise
            self._connection.execute("ROLLBACK TO sums")
            self._uncounted = 0
            self._complain(f"the dashboard's sums could not be kept: {error!r}")

    def _settle(self, spool: _Spool) -> None:
        if spool.reel.exchange is None:
            return
        del self._spools[spool.tape]
        self.recorded += 1
        self.keys.add(spool.reel.key_shapes)
        if spool.reel.unread:
            self._complain(f"an answer was kept, but not understood: {spool.reel.unread}")
        try:
            self._on_stored(spool.reel.exchange)
        except Exception as error:  # noqa: BLE001 (others must not stop us)
            self._complain(f"after storing an exchange: {error!r}")

    def _give_up(self, tape: Tape, waiting: dict[Tape, None], error: Exception) -> None:
        tape.given_up = tape.ended = True
        waiting.pop(tape, None)
        self._spools.pop(tape, None)
        self._lost_by_writer += 1
        self._complain(f"an exchange was not recorded: {error!r}")

    def _complain(self, reason: str) -> None:
        """Once for each reason: a broken disk must not fill the log as well."""
        if reason not in self._complained:
            self._complained.add(reason)
            logger.error("replayproxy: %s (the traffic is not affected)", reason)

    def _finish(self, waiting: dict[Tape, None]) -> None:
        waiting.update(dict.fromkeys(self._inbox.gather(0)))
        patience_ends = time.monotonic() + self._patience_s
        for tape in dict.fromkeys((*self._spools, *waiting)):
            if not tape.ended:
                spool = self._spools.get(tape)
                end = End(
                    ending=Ending.INTERRUPTED,
                    offset_ns=spool.reel.last_offset_ns if spool else 0,
                    detail="the recorder was stopped",
                )
                tape.ended = True
                tape.items.append(end)
                waiting[tape] = None
        while waiting and time.monotonic() < patience_ends:
            with self._surviving(waiting):
                if not self._store(waiting):
                    time.sleep(RETRY_S)
        self._lost_by_writer += len(waiting)
        try:
            self._this_run.end()
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except Exception as error:  # noqa: BLE001 (the next start will try again)
            self._complain(f"the database {self.path} cannot be closed in order: {error!r}")
        self._connection.close()
