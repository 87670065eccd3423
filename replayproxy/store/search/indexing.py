"""Indexing while recording: only in quiet moments, between the writer's transactions."""

import sqlite3
import time
from collections.abc import Callable

from replayproxy.store.search import index

QUIET_S = 1.0
"""So long nothing must have been written."""

_BETWEEN_STEPS_S = 0.02
_AT_LEAST_EVERY_S = 600.0
_AFTER_FAULT_S = 60.0


class Indexing:
    """Does what `Upkeep` does, for the index. Only the writer's thread calls `step`.

    Attributes:
        due_s: when `step` has something to do, by `time.monotonic`.
    """

    def __init__(self, *, quiet_s: float = QUIET_S) -> None:
        self.due_s = time.monotonic() + quiet_s
        self._quiet_s = quiet_s
        self._changes = -1

    def step(self, connection: sqlite3.Connection, complain: Callable[[str], None]) -> None:
        """Index a little, if nobody has written for a while. A fault is told, and no more."""
        if connection.total_changes != self._changes:
            self._changes = connection.total_changes
            self.due_s = time.monotonic() + self._quiet_s
        if time.monotonic() < self.due_s:
            return
        pause_s = _AT_LEAST_EVERY_S
        try:
            if index.step(connection):
                pause_s = _BETWEEN_STEPS_S
        except Exception as error:  # noqa: BLE001 (search is what suffers, not the recording)
            if connection.in_transaction:
                connection.rollback()
            complain(f"what was recorded could not be indexed for search: {error!r}")
            pause_s = _AFTER_FAULT_S
        self._changes = connection.total_changes
        self.due_s = time.monotonic() + pause_s
