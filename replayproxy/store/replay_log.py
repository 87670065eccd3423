"""What was replayed, in a table of its own: what was asked, what answered, how late.

Rule: whatever goes wrong here changes no replay. It has a thread of its own, and
where the file cannot be written there is no log.
"""

import logging
import sqlite3
import threading
from collections import deque
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from replayproxy.errors import DatabaseError
from replayproxy.model import Exchange
from replayproxy.store import rows
from replayproxy.store.connection import open_for_writing
from replayproxy.telemetry.spans import Playing

logger = logging.getLogger(__name__)

KEPT = 100_000
"""How many of them stay in the file, at the least."""

type Result = Literal["hit", "miss", "recorded", "forwarded", "error"]

_INSERT = """INSERT INTO replays (replayed_at, cassette, session, result, exchange_id, normalized,
  late_ms, duration_ms, traceparent, method, host, path, request_model, closest_id, message,
  avoided_cost_usd, avoided_input_tokens, avoided_output_tokens)
SELECT :replayed_at, :cassette, :session, :result, answered.id, -- unless it was deleted meanwhile
  :normalized, :late_ms, :duration_ms, :traceparent, :method, :host, :path, :request_model,
  (SELECT id FROM exchanges WHERE id = :closest_id), :message,
  answered.cost_usd, answered.input_tokens, answered.output_tokens
FROM (SELECT 1) LEFT JOIN exchanges AS answered ON answered.id = :exchange_id"""
_COLUMNS = (
    "cassette", "session", "result", "exchange_id", "late_ms", "method", "host", "path",
    "request_model", "closest_id", "message",
)  # fmt: skip
GATHER_S = 0.2
_WAITING = 100_000


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
        exchange: what answered; `playing` says when. Its span is made of both.
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
    exchange: Exchange | None = None
    playing: Playing | None = None


class ReplayLog:
    """Writes them as they come, a moment later. `close()` waits for the last."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._waiting: deque[Replayed] = deque()
        self._news = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="replay log", daemon=True)
        self._thread.start()

    def add(self, replayed: Replayed) -> None:
        """Note it; at once, whatever the file does."""
        if len(self._waiting) < _WAITING:  # else it is locked for long
            self._waiting.append(replayed)
        if not self._news.is_set():
            self._news.set()

    def close(self) -> None:
        """Write what is left."""
        self._closing.set()
        self._news.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            self._news.wait()
            if self._waiting:  # what was never replayed from is not even opened
                with closing(open_for_writing(self._path).conn) as connection:
                    self._write(connection)
        except (DatabaseError, sqlite3.Error) as error:
            self._give_up(logging.INFO, error)
        except Exception as error:  # noqa: BLE001 (a fault of ours is no reason to stop a replay)
            self._give_up(logging.ERROR, error)

    def _give_up(self, level: int, error: Exception) -> None:
        logger.log(level, "replayproxy: what is replayed is not logged: %s", error)
        self._waiting = deque(maxlen=0)

    def _write(self, connection: sqlite3.Connection) -> None:
        with connection:
            connection.execute(
                "DELETE FROM replays WHERE id <= (SELECT max(id) FROM replays) - ?", [KEPT]
            )
        ending = False
        while not ending:
            if not self._closing.is_set():  # else its news may have been cleared with the others
                self._news.wait()
            ending = self._closing.wait(GATHER_S)  # so that many share a transaction
            self._news.clear()
            some = [self._waiting.popleft() for _ in range(len(self._waiting))]
            with connection:
                connection.executemany(_INSERT, map(_columns, some))


def _columns(replayed: Replayed) -> dict[str, object]:
    return {
        **{name: getattr(replayed, name) for name in _COLUMNS},
        "replayed_at": rows.to_timestamp(replayed.replayed_at),
        "duration_ms": rows.to_ms(replayed.playing.duration_ns) if replayed.playing else None,
        "traceparent": replayed.playing.traceparent if replayed.playing else None,
        "normalized": ", ".join(replayed.normalized) or None,
    }
