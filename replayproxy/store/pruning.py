"""Deleting exchanges, beside running recorders, and giving their space back.

Rules: no transaction takes more than a moment, so that no recorder waits for
long; what is still running stays; a body goes with the last exchange that
refers to it, also where others were stored against it, and so do its words in the
search index; whoever deletes says what has gone and what has not.
"""

import sqlite3
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from replayproxy.store import bodies, rollups, search, space
from replayproxy.store.connection import as_database_error, open_for_reading, open_for_writing
from replayproxy.store.selection import Rules, Selection
from replayproxy.store.weight import BODIES_OF

_MAX_EXCHANGES = 200
_TRANSACTION_S = 0.015
_TAKEN_BACK_AT_ONCE = 20
_MAX_PAUSE_S = 0.05
_FREE_ENOUGH_BYTES = 16 * 1024 * 1024
_UNREFERENCED = """NOT EXISTS (SELECT 1 FROM requests WHERE body_id = bodies.id)
  AND NOT EXISTS (SELECT 1 FROM responses WHERE body_id = bodies.id)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What has gone, or would go.

    Attributes:
        bytes_freed: given back to the file system (an estimate if nothing was changed).
        bytes_free_inside: still part of the file, for recordings to come.
        bytes_used: all the rest of the file.
        still_running: exchanges that were meant too, but stay because they are running.
        undone: what could not be done now, and why.
    """

    exchanges: int
    bodies: int
    bytes_freed: int
    bytes_free_inside: int
    bytes_used: int
    still_running: int
    undone: str | None = None


def prune(path: Path, rules: Rules, *, dry_run: bool = False) -> Pruned:
    """Delete what the rules say.

    Raises:
        DatabaseError: it cannot be used; what was deleted until then is gone.
    """
    return _run(path, rules, dry_run=dry_run)


def delete(path: Path, exchange_ids: Iterable[int], *, dry_run: bool = False) -> Pruned:
    """Delete these exchanges.

    Raises:
        UnknownExchangeError: one of them does not exist; nothing was deleted.
        DatabaseError: the database cannot be used.
    """
    return _run(path, exchange_ids, dry_run=dry_run)


def _run(path: Path, which: Rules | Iterable[int], *, dry_run: bool) -> Pruned:
    # opening for writing would make a database that is not there
    opened = open_for_writing if path.exists() and not dry_run else open_for_reading
    with closing(opened(path).conn) as connection, as_database_error(path):
        pruning = Pruning(connection, path, which)
        if dry_run:
            return pruning.estimate()
        started = time.monotonic()
        for _ in pruning.steps():
            # every other moment belongs to the recorders
            time.sleep(min(time.monotonic() - started, _MAX_PAUSE_S))
            started = time.monotonic()
        return pruning.result()


class Pruning:
    """One pruning, in steps: what happens between them is up to whoever runs it.

    Attributes:
        exchanges: deleted so far; likewise `bodies`, and `bytes_freed`.
        purged: whether the search index was written anew, without the words of those.

    Raises:
        UnknownExchangeError: when it is made, of an id that does not exist.
    """

    def __init__(
        self, connection: sqlite3.Connection, path: Path, which: Rules | Iterable[int]
    ) -> None:
        self.exchanges = self.bodies = self.bytes_freed = 0
        self.purged = False
        self._connection = connection
        self._path = path
        self._selection = Selection(connection, path, which)
        self._undone: str | None = None

    def steps(self, *, purge: bool = True) -> Iterator[None]:
        """Do it. Each `next()` is one transaction of a moment, and a look at the file.

        Args:
            purge: take the words of what goes out of the file as well, not only out of the
                index: that takes as long as the index is large.
        """
        # what is deleted on a page that stays in use is overwritten
        self._connection.execute("PRAGMA secure_delete = FAST").fetchall()
        yield from self._delete(self._selection.marked)
        while not self._undone and (oldest := self._selection.too_much()):
            yield from self._delete(oldest)
        if purge and self.exchanges:
            yield from self._purge()
        yield from self._give_back()

    def estimate(self) -> Pruned:
        """What `steps` would do; the bytes are about right."""
        weight = self._selection.weigh()
        used = space.used_bytes(self._connection)
        freed = min(weight.bytes, used)
        return Pruned(
            exchanges=weight.exchanges,
            bodies=weight.bodies,
            bytes_freed=freed + space.free_bytes(self._connection),
            bytes_free_inside=0,
            bytes_used=used - freed,
            still_running=self._selection.still_running,
        )

    def result(self) -> Pruned:
        """What was done."""
        return Pruned(
            exchanges=self.exchanges,
            bodies=self.bodies,
            bytes_freed=self.bytes_freed,
            bytes_free_inside=space.free_bytes(self._connection),
            bytes_used=space.used_bytes(self._connection),
            still_running=self._selection.still_running,
            undone=self._undone,
        )

    def _delete(self, marked: Iterable[int]) -> Iterator[None]:
        todo = deque(marked)
        while todo and self._wal_is_small():
            taken: list[int] = []
            try:
                with space.transaction(self._connection):
                    exchanges, bodies = self._delete_some(todo, taken)
            except sqlite3.Error as error:
                if not search.dropped_as_damaged(self._connection, error):
                    raise
                todo.extendleft(reversed(taken))
                continue
            self.exchanges += exchanges
            self.bodies += bodies
            yield
            if space.free_bytes(self._connection) > _FREE_ENOUGH_BYTES:
                # the longer SQLite's list of free pages, the slower it gives them back
                yield from self._shrink()

    def _delete_some(self, todo: deque[int], taken: list[int]) -> tuple[int, int]:
        """Delete for a moment; returns how many exchanges and bodies."""
        ends, exchanges, bodies = time.monotonic() + _TRANSACTION_S, 0, 0
        while todo and exchanges < _MAX_EXCHANGES and time.monotonic() < ends:
            some = [todo.popleft() for _ in range(min(len(todo), _TAKEN_BACK_AT_ONCE))]
            taken += some
            rollups.take_back(self._connection, some)
            for exchange_id in some:
                deleted = self._delete_one(exchange_id)
                if deleted is not None:  # else somebody was faster
                    exchanges += 1
                    bodies += deleted
        return exchanges, bodies

    def _delete_one(self, exchange_id: int) -> int | None:
        """Delete an exchange; returns how many bodies went with it, None if it is not there."""
        body_ids = self._connection.execute(BODIES_OF, {"id": exchange_id}).fetchall()
        search.forget(self._connection, exchange_id)
        deleted = self._connection.execute(
            f"DELETE FROM exchanges WHERE id = ? AND {self._selection.ended}", [exchange_id]
        )
        if not deleted.rowcount:
            return None
        return sum(self._delete_body(body_id) for (body_id,) in body_ids)

    def _delete_body(self, body_id: int) -> int:
        found = self._connection.execute(
            f"SELECT id FROM bodies WHERE id = ? AND {_UNREFERENCED}", [body_id]
        ).fetchone()
        if found is None:
            return 0
        bodies.stand_alone(self._connection, body_id)
        return self._connection.execute("DELETE FROM bodies WHERE id = ?", [body_id]).rowcount

    def _purge(self) -> Iterator[None]:
        for _ in search.purge(self._connection):
            yield
            if not self._wal_is_small():
                return
        self.purged = True

    def _give_back(self) -> Iterator[None]:
        if space.can_shrink(self._connection):
            yield from self._shrink()
        elif space.free_bytes(self._connection):
            yield from self._rewrite()
        changed = self.exchanges or self.bytes_freed
        if changed and not space.checkpoint(self._connection) and not self._undone:
            self._undone = "another program is reading the file, which shrinks once it has done so"

    def _rewrite(self) -> Iterator[None]:
        if space.is_recorded_into(self._connection, self._path):
            self._undone = "an older file gives back what is free inside only when nobody records"
            return
        try:
            self.bytes_freed += space.rewrite(self._connection)
        except sqlite3.OperationalError as error:  # it needs the file's size once more
            self._undone = f"the file could not be written anew without what is free: {error}"
        yield

    def _shrink(self) -> Iterator[None]:
        while self._wal_is_small() and (freed := space.shrink_a_little(self._connection)):
            self.bytes_freed += freed
            yield

    def _wal_is_small(self) -> bool:
        if not space.keeps_wal_small(self._connection, self._path):
            self._undone = "not finished: another program reads it for too long; try again later"
        return not self._undone
