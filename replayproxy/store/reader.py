"""Reading: exchanges and their chunks."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from replayproxy.errors import UnknownExchangeError
from replayproxy.matching import EXACT, EXACT_PREFIX, MatchRules
from replayproxy.model import Chunk, Exchange
from replayproxy.store import journal, packing, relations
from replayproxy.store.connection import as_database_error, open_for_reading
from replayproxy.store.exchange_rows import read_chunks, read_exchange
from replayproxy.store.sql import as_dict
from replayproxy.store.statistics import Statistics, statistics

_EXACT_KEY = f"""(SELECT key FROM match_keys WHERE exchange_id = exchanges.id
  AND key LIKE '{EXACT_PREFIX}%') AS match_key"""

_NEWEST = 1_000


class Store:
    """A database, read-only. Use as a context manager, or `close()`.

    Raises:
        DatabaseError: when it is opened and cannot be used; by every method
            that meets a damaged part.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection = open_for_reading(path).conn

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
        yield from self._rows(f"SELECT * FROM exchanges {where} ORDER BY id", cassette)

    def keyed_rows(self, *, cassette: str) -> Iterator[dict[str, Any]]:
        """The rows of a cassette with their `match_key`; None: it cannot be replayed."""
        sql = f"SELECT exchanges.*, {_EXACT_KEY} FROM exchanges WHERE cassette = :cassette"
        yield from self._rows(f"{sql} ORDER BY id", cassette)

    def misses(self, *, cassette: str | None = None) -> Iterator[dict[str, Any]]:
        """What replays were asked for and did not have, as rows of the view `misses`."""
        where = "" if cassette is None else "WHERE cassette = :cassette"
        yield from self._rows(f"SELECT * FROM misses {where} ORDER BY id", cassette)

    def _rows(self, sql: str, cassette: str | None) -> Iterator[dict[str, Any]]:
        with as_database_error(self.path):
            cursor = self._connection.execute(sql, {"cassette": cassette})
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
                f"SELECT exchanges.*, {_EXACT_KEY} FROM exchanges WHERE id = ?",
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

    def match_keys(self, exchange_id: int) -> list[tuple[str, MatchRules]]:
        """The keys that find this exchange, and the rules of each; none if it can't be played."""
        with as_database_error(self.path):
            found = self._connection.execute(
                """SELECT key, rules FROM match_keys LEFT JOIN match_rules
                ON match_rules.cassette = match_keys.cassette
                  AND key LIKE '%+' || match_rules.name || ':%'
                WHERE exchange_id = ? ORDER BY key""",
                [exchange_id],
            ).fetchall()
        return [(key, MatchRules.from_json(rules) if rules else EXACT) for key, rules in found]

    def newest_id(self, *, cassette: str) -> int | None:
        """The id of the cassette's newest exchange; later ones will have greater ids."""
        with as_database_error(self.path):
            found: tuple[int | None] = self._connection.execute(
                "SELECT max(id) FROM exchanges WHERE cassette = ?", [cassette]
            ).fetchone()
        return found[0]

    def spans(self, exchange_id: int, *, limit: int = 20) -> list[dict[str, Any]]:
        """Rows of `spans` and `replay_spans`: its own, then those of its latest replays."""
        with as_database_error(self.path):
            return relations.spans(self._connection, exchange_id, limit=limit)

    def trace(self, trace_id: str, *, limit: int = 50) -> list[dict[str, Any]]:
        """What is known of each span of a trace, the earliest first."""
        with as_database_error(self.path):
            return relations.trace(self._connection, trace_id, limit=limit)

    def replays(self, exchange_id: int, *, limit: int = 20) -> list[dict[str, Any]]:
        """Rows of `replays`: the latest that this exchange answered."""
        with as_database_error(self.path):
            return relations.replays(self._connection, exchange_id, limit=limit)

    def like_it(self, exchange_id: int) -> relations.LikeIt:
        """Exchanges to go to from one, or to compare it with."""
        with as_database_error(self.path):
            return relations.like_it(self._connection, exchange_id)

    def statistics(
        self, *, by: str, since: datetime | None = None, cassette: str | None = None
    ) -> Statistics:
        """Totals of what started since then, by one of `statistics.DIMENSIONS`."""
        with as_database_error(self.path), self._one_state():
            return statistics(self._connection, by=by, since=since, cassette=cassette)

    def asked(self, *, cassette: str) -> list[tuple[str, str]]:
        """Host and path of the cassette's newest exchanges, each pair once, the commonest first."""
        with as_database_error(self.path):
            found = self._connection.execute(
                """SELECT host, path FROM (
                  SELECT host, path FROM exchanges WHERE cassette = ? ORDER BY id DESC LIMIT ?
                ) GROUP BY host, path ORDER BY count(*) DESC, host, path""",
                [cassette, _NEWEST],
            )
            return [(str(host), str(path)) for host, path in found]

    def newest_ids(self, number: int) -> list[int]:
        """The ids of that many exchanges, the newest first."""
        with as_database_error(self.path):
            found = self._connection.execute(
                "SELECT id FROM exchanges ORDER BY id DESC LIMIT ?", [number]
            )
            return [int(row[0]) for row in found]

    def origins(self, *, cassette: str) -> list[tuple[str, int]]:
        """Host and port of every server that the cassette has recordings of."""
        with as_database_error(self.path):
            found = self._connection.execute(
                """SELECT DISTINCT host, port FROM exchanges
                JOIN requests ON requests.exchange_id = exchanges.id WHERE cassette = ?""",
                [cassette],
            )
            return [(str(host), int(port)) for host, port in found]

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
