"""What is done while recording, a step now and then, between the writer's transactions: pruning."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from replayproxy.store.pruning import Pruning
from replayproxy.store.selection import Rules

_BETWEEN_STEPS_S = 0.02
EVERY_S = 180.0
_PURGE_EVERY_S = 3600.0


class Chore(Protocol):
    """Something to do when there is nothing to write."""

    @property
    def due_s(self) -> float:
        """When there is something to do, by `time.monotonic`."""

    def step(self, connection: sqlite3.Connection, complain: Callable[[str], None]) -> None:
        """Do a little, if it is time. Never raises."""


class Chores:
    """Several, one after the other."""

    def __init__(self, *chores: Chore) -> None:
        self._chores = chores

    @property
    def due_s(self) -> float:
        """When the first of them has something to do."""
        return min(chore.due_s for chore in self._chores)

    def step(self, connection: sqlite3.Connection, complain: Callable[[str], None]) -> None:
        """A step of each."""
        for chore in self._chores:
            chore.step(connection, complain)


class Upkeep:
    """Prunes at once, and again every so often.

    `rules` gives the rules of a pruning that begins now. Only the writer's thread
    calls `step`, whenever it has nothing to write.

    Attributes:
        due_s: when `step` has something to do, by `time.monotonic`.
    """

    def __init__(self, path: Path, rules: Callable[[], Rules], *, every_s: float = EVERY_S) -> None:
        self.due_s = time.monotonic()
        self._path = path
        self._rules = rules
        self._every_s = every_s
        self._exchanges = self._bytes_freed = 0
        self._purge_due_s = time.monotonic()
        self._current: tuple[Pruning, Iterator[None]] | None = None

    @property
    def exchanges(self) -> int:
        """Deleted so far."""
        return self._exchanges + (self._current[0].exchanges if self._current else 0)

    @property
    def bytes_freed(self) -> int:
        """Given back to the file system so far."""
        return self._bytes_freed + (self._current[0].bytes_freed if self._current else 0)

    def step(self, connection: sqlite3.Connection, complain: Callable[[str], None]) -> None:
        """Do one step, if it is time. A fault is told, and never the recording's problem."""
        if time.monotonic() < self.due_s:
            return
        pause_s = _BETWEEN_STEPS_S
        try:
            if self._current is None:
                pruning = Pruning(connection, self._path, self._rules())
                self._current = pruning, pruning.steps(purge=self._purge_due_s <= time.monotonic())
            next(self._current[1])
        except StopIteration:
            pause_s = self._end()
        except Exception as error:  # noqa: BLE001 (it is tried again later, from the start)
            if connection.in_transaction:
                connection.rollback()
            complain(f"old exchanges could not be pruned: {error!r}")
            pause_s = self._end()
        self.due_s = time.monotonic() + pause_s

    def _end(self) -> float:
        """Until the next pruning begins."""
        self._exchanges, self._bytes_freed = self.exchanges, self.bytes_freed
        if self._current and self._current[0].purged:
            self._purge_due_s = time.monotonic() + _PURGE_EVERY_S
        self._current = None
        return self._every_s
