"""What was replayed, in a table of its own: what was asked, what answered, how late.

Rule: whatever goes wrong here changes no replay. It has a thread of its own, and
where the file cannot be written there is no log.
"""

import logging
import queue
import sqlite3
import threading
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from replayproxy.errors import DatabaseError
from replayproxy.store import rows
from replayproxy.store.connection import open_for_writing

logger = logging.getLogger(__name__)

KEPT = 100_000
"""How many of them stay in the file, at the least."""

type Result = Literal["hit", "miss", "recorded", "forwarded", "error"]

_INSERT = """INSERT INTO replays (replayed_at, cassette, session, result, exchange_id, normalized,
  late_ms, method, host, path, request_model, closest_id, message)
VALUES (:replayed_at, :cassette, :session, :result,
  (SELECT id FROM exchanges WHERE id = :exchange_id), -- unless it was deleted meanwhile
  :normalized, :late_ms, :method, :host, :path, :request_model,
  (SELECT id FROM exchanges WHERE id = :closest_id), :message)"""
_BATCH = 500
_QUEUED = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """One request of a replay, as a row of the table `replays`.

    Attributes:
        session: the isolation token.
        exchange_id: what answered.
        normalized: where it differed from that, as JSON paths.
        late_ms: how late the latest write left.
        closest_id: what a miss was closest to.
        message: what the client was told, if it was no hit.
    """

    replayed_at: datetime
    cassette: str
    session: str
    result: Result
    method: str
    host: str
    path: str
    request_model: str | None = None
    exchange_id: int | None = None
    normalized: tuple[str, ...] = ()
    late_ms: float | None = None
    closest_id: int | None = None
    message: str | None = None


class ReplayLog:
    """Writes them as they come. `close()` waits for the last."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._queue: queue.Queue[Replayed | None] = queue.Queue(_QUEUED)
        self._thread = threading.Thread(target=self._run, name="replay log", daemon=True)
        self._thread.start()

    def add(self, replayed: Replayed) -> None:
        """Note it; at once, whatever the file does."""
        try:
            self._queue.put_nowait(replayed)
        except queue.Full:
            pass  # the file is locked for long: newer ones are not worth more memory

    def close(self) -> None:
        """Write what is left."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        first = self._queue.get()
        if first is None:
            return
        try:
            with closing(open_for_writing(self._path).conn) as connection:
                self._write(connection, first)
        except (DatabaseError, sqlite3.Error) as error:
            logger.info("replayproxy: what is replayed is not logged: %s", error)
            while self._queue.get() is not None:
                pass

    def _write(self, connection: sqlite3.Connection, first: Replayed) -> None:
        with connection:
            connection.execute(
                "DELETE FROM replays WHERE id <= (SELECT max(id) FROM replays) - ?", [KEPT]
            )
        some: list[Replayed] = [first]
        while some:
            ended = False
            while not self._queue.empty() and len(some) < _BATCH and not ended:
                item = self._queue.get()
                ended = item is None
                if item:
                    some.append(item)
            with connection:
                connection.executemany(_INSERT, map(_columns, some))
            some = []
            if not ended and (item := self._queue.get()):
                some = [item]


def _columns(replayed: Replayed) -> dict[str, object]:
    return {
        **asdict(replayed),
        "replayed_at": rows.to_timestamp(replayed.replayed_at),
        "normalized": ", ".join(replayed.normalized) or None,
    }
