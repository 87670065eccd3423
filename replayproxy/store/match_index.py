"""Match keys in the database: which exchanges may answer, found without reading them.

The exact key of an exchange is written with it. Keys by other rules are made
when a replay first asks for them, and kept.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import batched
from pathlib import Path

from replayproxy.matching import EXACT_PREFIX, MatchRules, match_key
from replayproxy.model import Exchange, Outcome
from replayproxy.store.connection import as_database_error
from replayproxy.store.exchange_rows import read_exchange

TEMPORARY = "temp.match_keys_here"
"""Where keys go that cannot be kept: it lives as long as the connection, on disk."""

_BATCH = 500
_OF_A_HOST = """FROM {table} WHERE key = ? AND cassette = ? AND host = ?
  AND exchange_id > ? AND exchange_id <= ?"""
_FIRST = f"SELECT exchange_id {_OF_A_HOST} ORDER BY exchange_id LIMIT 1"
_LAST = f"SELECT exchange_id {_OF_A_HOST} ORDER BY exchange_id DESC LIMIT 1"
_COUNT = f"SELECT count(*) {_OF_A_HOST}"

type Progress = Callable[[int, int], None]
"""Is told (done, of all)."""


@dataclass(slots=True)
class Recorded:
    """The exchanges of one match key, in recorded order. A `playback.Queue`.

    It sees none later than `newest`, so that what is last stays so, and is looked for once.

    Raises:
        DatabaseError: by every method that meets a damaged part.
    """

    connection: sqlite3.Connection
    path: Path
    table: str
    key: str
    cassette: str
    hosts: tuple[str, ...]
    newest: int
    _last: int | None = None

    @property
    def name(self) -> tuple[str, tuple[str, ...]]:
        """What tells it from others."""
        return self.key, self.hosts

    def after(self, exchange_id: int) -> int | None:
        """The first one later than this."""
        if self._last is not None and exchange_id >= self._last:
            return None
        return min(self._of_each_host(_FIRST, after=exchange_id), default=None)

    def last(self) -> int:
        """The last one of all."""
        if self._last is None:
            self._last = max(self._of_each_host(_LAST))
        return self._last

    def count(self) -> int:
        """How many there are; it takes longer than the others."""
        return sum(self._of_each_host(_COUNT))

    def _of_each_host(self, what: str, *, after: int = 0) -> Iterator[int]:
        for host in self.hosts:
            with as_database_error(self.path):
                found = self.connection.execute(
                    what.format(table=self.table),
                    [self.key, self.cassette, host, after, self.newest],
                ).fetchone()
            if found is not None:
                yield int(found[0])


def put(connection: sqlite3.Connection, exchange: Exchange, exchange_id: int) -> None:
    """Write the exact key of an exchange, if it can answer at all."""
    if not is_playable(exchange):
        return
    connection.execute(
        "INSERT INTO match_keys (key, cassette, host, exchange_id) VALUES (?, ?, ?, ?)",
        [match_key(exchange.request), exchange.cassette, exchange.request.host, exchange_id],
    )


def find(
    connection: sqlite3.Connection,
    path: Path,
    key: str,
    *,
    cassette: str,
    prefer: Iterable[str],
    newest: int,
    table: str = "match_keys",
) -> Recorded | None:
    """What may answer this key: of the preferred hosts if they have any, else of all."""
    hosts = tuple(_hosts(connection, table, key, cassette, newest))
    if not hosts:
        return None
    wanted = frozenset(prefer)
    preferred = tuple(host for host in hosts if host in wanted)
    return Recorded(connection, path, table, key, cassette, preferred or hosts, newest)


def _hosts(
    connection: sqlite3.Connection, table: str, key: str, cassette: str, newest: int
) -> Iterator[str]:
    """From one host to the next, however many exchanges lie between."""
    host = ""
    while True:
        found = connection.execute(
            f"""SELECT host, exchange_id FROM {table}
            WHERE key = ? AND cassette = ? AND host >= ? ORDER BY host, exchange_id LIMIT 1""",
            [key, cassette, host],
        ).fetchone()
        if found is None:
            return
        if found[1] <= newest:
            yield str(found[0])
        host = f"{found[0]}\0"


def is_playable(exchange: Exchange) -> bool:
    """Whether it holds an answer, or the part of one after which it broke off."""
    return exchange.head is not None and exchange.outcome in {
        Outcome.COMPLETED,
        Outcome.CLIENT_CLOSED,
        Outcome.UPSTREAM_CLOSED,
    }


def index(
    connection: sqlite3.Connection,
    rules: MatchRules,
    *,
    cassette: str,
    newest: int,
    on_progress: Progress,
    keep: bool,
) -> None:
    """Make the keys that are not there yet.

    Args:
        connection: one that can write, if the keys shall be kept.
        newest: the last exchange that needs one.
        keep: in the database; else in a table of this connection's own.
    """
    table = "match_keys" if keep else TEMPORARY
    done_to = _indexed_to(connection, rules, cassette) if keep else 0
    if not keep:
        connection.execute(f"DROP TABLE IF EXISTS {TEMPORARY}")
        connection.execute(
            f"""CREATE TABLE {TEMPORARY} (key TEXT, cassette TEXT, host TEXT, exchange_id INTEGER,
            PRIMARY KEY (key, cassette, host, exchange_id)) WITHOUT ROWID"""
        )
    todo = _without_key(connection, cassette, after=done_to, newest=newest)
    on_progress(0, len(todo))
    done = 0
    for some in batched(todo, _BATCH):
        with connection:
            for exchange_id in some:
                _put_by_rules(connection, table, rules, exchange_id)
        done += len(some)
        on_progress(done, len(todo))
    if keep:
        _set_indexed_to(connection, rules, cassette, newest)


def _without_key(
    connection: sqlite3.Connection, cassette: str, *, after: int, newest: int
) -> list[int]:
    found = connection.execute(
        """SELECT DISTINCT exchange_id FROM match_keys
        WHERE exchange_id > ? AND exchange_id <= ? AND cassette = ? AND key >= ? AND key < ?
        ORDER BY exchange_id""",
        [after, newest, cassette, EXACT_PREFIX, EXACT_PREFIX + "~"],
    )
    return [row[0] for row in found]


def _put_by_rules(
    connection: sqlite3.Connection, table: str, rules: MatchRules, exchange_id: int
) -> None:
    exchange = read_exchange(connection, exchange_id)
    if exchange is None:  # somebody deleted it just now
        return
    connection.execute(
        f"INSERT OR IGNORE INTO {table} (key, cassette, host, exchange_id) VALUES (?, ?, ?, ?)",
        [
            match_key(exchange.request, rules),
            exchange.cassette,
            exchange.request.host,
            exchange_id,
        ],
    )


def _indexed_to(connection: sqlite3.Connection, rules: MatchRules, cassette: str) -> int:
    found = connection.execute(
        "SELECT indexed_to FROM match_rules WHERE name = ? AND cassette = ?", [rules.name, cassette]
    ).fetchone()
    return 0 if found is None else int(found[0])


def _set_indexed_to(
    connection: sqlite3.Connection, rules: MatchRules, cassette: str, newest: int
) -> None:
    # what was running then gets its exact key later, and must not be passed over
    (running,) = connection.execute(
        "SELECT min(id) FROM exchanges WHERE outcome IS NULL AND cassette = ?", [cassette]
    ).fetchone()
    done_to = newest if running is None else min(newest, running - 1)
    with connection:
        connection.execute(
            """INSERT INTO match_rules (name, cassette, rules, indexed_to) VALUES (?, ?, ?, ?)
            ON CONFLICT DO UPDATE SET indexed_to = excluded.indexed_to""",
            [rules.name, cassette, rules.as_json(), done_to],
        )
