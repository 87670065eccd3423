"""One start of a recorder: its row in `runs`, and the lock that says it is alive."""

import sqlite3
from datetime import UTC, datetime
from os import getpid
from pathlib import Path

from replayproxy import __version__
from replayproxy.store import rows
from replayproxy.store.liveness import RunLock
from replayproxy.store.recovery import recover
from replayproxy.store.reel import Enrich
from replayproxy.store.sql import insert, update


class Run:
    """Alive until `end()`, or the end of the process.

    Attributes:
        id: of its row.
        interrupted_before: exchanges that earlier, killed runs had left open.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path, enrich: Enrich) -> None:
        self._connection = connection
        self._path = path
        self._enrich = enrich
        columns = {"started_at": _now(), "pid": getpid(), "version": __version__}
        with connection:
            self.id = insert(connection, "runs", columns)
        self._lock = RunLock(path, self.id)
        self.interrupted_before = recover(connection, path, enrich)

    def end(self) -> None:
        """Say so, and mark what was given up half-way."""
        self._lock.release()
        recover(self._connection, self._path, self._enrich)
        with self._connection:
            update(self._connection, "runs", {"ended_at": _now()}, id=self.id)


def _now() -> str:
    return rows.to_timestamp(datetime.now(UTC))
