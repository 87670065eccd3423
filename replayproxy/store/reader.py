"""Reading: exchanges, their chunks, and what a replay looks for."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from replayproxy.errors import UnknownExchangeError
from replayproxy.model import Chunk, Exchange
from replayproxy.store import bodies, journal, packing, rows
from replayproxy.store.compression import decompress
from replayproxy.store.connection import as_database_error, open_for_reading
from replayproxy.store.sql import as_dict

_SELECT = """
SELECT exchanges.*, requests.match_key, requests.scheme, requests.port, requests.query,
  requests.http_version AS request_http_version, requests.headers AS request_headers,
  requests.body_id AS request_body_id,
  responses.reason, responses.http_version AS response_http_version,
  responses.headers AS response_headers, responses.headers_offset_ns,
  responses.end_offset_ns, responses.ending
FROM exchanges
JOIN requests ON requests.exchange_id = exchanges.id
LEFT JOIN responses ON responses.exchange_id = exchanges.id
"""

_PLAYABLE = """exchanges.cassette = :cassette
  AND exchanges.outcome IN ('completed', 'client_closed', 'upstream_closed')
  AND exchanges.status IS NOT NULL AND exchanges.id <= :newest
  AND EXISTS (SELECT 1 FROM requests WHERE requests.exchange_id = exchanges.id
    AND requests.match_key IS NOT NULL)"""


class Store:
    """A database, read-only. Use as a context manager, or `close()`.

    Raises:
        DatabaseError: when it is opened and cannot be used; by every method
            that meets a damaged part.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection = open_for_reading(path).conn
        (newest,) = self._connection.execute("SELECT max(id) FROM exchanges").fetchone()
        self._newest: int = newest or 0
        """What is recorded later is listed, but not played."""

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def rows(self, *, cassette: str | None = None) -> Iterator[dict[str, Any]]:
        """Every exchange as its row of the table `exchanges`, oldest first."""
        where = "" if cassette is None else "WHERE cassette = :cassette"
        with as_database_error(self.path):
            cursor = self._connection.execute(
                f"SELECT * FROM exchanges {where} ORDER BY id", {"cassette": cassette}
            )
            for row in cursor:
                yield as_dict(cursor, row)

    def exchange(self, exchange_id: int) -> Exchange:
        """One exchange, without its chunks.

        Raises:
            UnknownExchangeError: there is none of this id.
        """
        with as_database_error(self.path), self._one_state():
            exchange = read_exchange(self._connection, exchange_id)
        if exchange is None:
            raise UnknownExchangeError(exchange_id=exchange_id, path=self.path)
        return exchange

    def row(self, exchange_id: int) -> dict[str, Any]:
        """One exchange as its row of the table `exchanges`, with its `match_key`.

        Raises:
            UnknownExchangeError: there is none of this id.
        """
        with as_database_error(self.path):
            cursor = self._connection.execute(
                """SELECT exchanges.*, requests.match_key FROM exchanges
                JOIN requests ON requests.exchange_id = exchanges.id WHERE exchanges.id = ?""",
                [exchange_id],
            )
            found = cursor.fetchone()
        if found is None:
            raise UnknownExchangeError(exchange_id=exchange_id, path=self.path)
        return as_dict(cursor, found)

    def chunks(self, exchange_id: int) -> tuple[Chunk, ...]:
        """The response's wire bytes, cut as they arrived; of one in flight, what was flushed."""
        with as_database_error(self.path), self._one_state():
            return read_chunks(self._connection, exchange_id)

    def chunk_table(self, exchange_id: int) -> list[tuple[int, int]]:
        """(offset_ns, length) of each chunk; also where no bodies are kept."""
        with as_database_error(self.path):
            found = self._connection.execute(
                "SELECT chunk_table FROM responses WHERE exchange_id = ?", [exchange_id]
            ).fetchone()
            if found is None:
                return []
            table = found[0] or journal.read(self._connection, exchange_id)[1]
            return list(packing.unpack(table))

    def playable(self, match_key: str, *, cassette: str) -> list[tuple[int, str]]:
        """Exchanges that may answer this key, in recorded order, as (id, host)."""
        with as_database_error(self.path):
            found = self._connection.execute(
                f"""SELECT exchanges.id, exchanges.host FROM requests
                JOIN exchanges ON exchanges.id = requests.exchange_id
                WHERE requests.match_key = :match_key AND {_PLAYABLE} ORDER BY exchanges.id""",
                {"match_key": match_key, "cassette": cassette, "newest": self._newest},
            )
            return [(int(row[0]), str(row[1])) for row in found]

    def candidates(self, *, cassette: str, path: str, limit: int) -> list[Exchange]:
        """The newest playable exchanges of this path, or else of the cassette."""
        with as_database_error(self.path):
            for condition in ("AND exchanges.path = :path", ""):
                found = self._connection.execute(
                    f"""SELECT exchanges.id FROM exchanges WHERE {_PLAYABLE} {condition}
                    ORDER BY exchanges.id DESC LIMIT :limit""",
                    {"cassette": cassette, "path": path, "limit": limit, "newest": self._newest},
                ).fetchall()
                if found:
                    return [self.exchange(row[0]) for row in found]
        return []

    def cassettes(self) -> list[str]:
        """The names of all cassettes."""
        with as_database_error(self.path):
            found = self._connection.execute("SELECT DISTINCT cassette FROM exchanges ORDER BY 1")
            return [str(row[0]) for row in found]

    @contextmanager
    def _one_state(self) -> Iterator[None]:
        """What is read inside belongs together, whatever somebody deletes meanwhile."""
        self._connection.execute("BEGIN")
        try:
            yield
        finally:
            self._connection.execute("COMMIT")


def read_exchange(connection: sqlite3.Connection, exchange_id: int) -> Exchange | None:
    """An exchange with its request body, or None."""
    cursor = connection.execute(f"{_SELECT} WHERE exchanges.id = ?", [exchange_id])
    found = cursor.fetchone()
    if found is None:
        return None
    row = as_dict(cursor, found)
    return rows.exchange_from_row(row, body=bodies.get(connection, row["request_body_id"]))


def read_chunks(connection: sqlite3.Connection, exchange_id: int) -> tuple[Chunk, ...]:
    """The chunks of an exchange: from its body, or from the journal while it is in flight."""
    found = connection.execute(
        "SELECT body_id, chunk_table FROM responses WHERE exchange_id = ?", [exchange_id]
    ).fetchone()
    if found is None:
        return ()
    body_id, table = found
    if table is not None:
        return packing.cut(bodies.get(connection, body_id), table)
    pieces, table = journal.read(connection, exchange_id)
    return packing.cut(decompress(pieces), table) if pieces else ()
