"""How a database file is, without changing it: not even to a newer schema."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlite_utils import Database

from replayproxy.key_shapes import KeyTally
from replayproxy.store.body_secrets import BodyScan
from replayproxy.store.connection import as_database_error, open_as_it_is
from replayproxy.store.migrations import migrations
from replayproxy.store.reader import Store

_DAMAGES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What was seen.

    Attributes:
        size, wal_size, free: bytes; `free` of the disk.
        damages: what SQLite finds wrong, a few of them.
        behind: how many steps its schema is behind ours.
        mode: the permissions of the file.
        interrupted: exchanges whose recorder was killed.
        newest: when its last exchange began.
    """

    size: int
    wal_size: int
    free: int
    mode: int
    damages: tuple[str, ...]
    behind: int
    exchanges: int
    interrupted: int
    newest: datetime | None


def condition(path: Path) -> Condition:
    """Look at a file.

    Raises:
        DatabaseError: it cannot be used at all.
    """
    with as_database_error(path), closing(open_as_it_is(path)) as connection:
        found = connection.execute(f"PRAGMA quick_check({_DAMAGES})").fetchall()
        exchanges, newest = connection.execute(
            "SELECT count(*), max(started_at) FROM exchanges"
        ).fetchone()
        (interrupted,) = connection.execute(
            "SELECT count(*) FROM exchanges WHERE outcome = 'interrupted'"
        ).fetchone()
        wal = path.with_name(path.name + "-wal")
        return Condition(
            size=path.stat().st_size,
            wal_size=wal.stat().st_size if wal.exists() else 0,
            free=shutil.disk_usage(path.parent).free,
            mode=path.stat().st_mode & 0o777,
            damages=tuple(row[0] for row in found if row[0] != "ok"),
            behind=len(migrations.pending(Database(connection))),
            exchanges=exchanges,
            interrupted=interrupted,
            newest=datetime.fromisoformat(newest) if newest else None,
        )


def keys_in_bodies(path: Path, *, newest: int) -> KeyTally:
    """What looks like API keys in the bodies of its newest exchanges.

    Raises:
        DatabaseError: it cannot be read.
    """
    tally = KeyTally()
    with Store(path) as store:
        for exchange_id in store.newest_ids(newest):
            tally.add(set(_found(store, exchange_id)))
    return tally


def _found(store: Store, exchange_id: int) -> Iterator[str]:
    exchange = store.exchange(exchange_id)
    scan = BodyScan(exchange.request)
    if exchange.head:
        scan.head(exchange.head)
    for chunk in store.chunks(exchange_id):
        scan.response(chunk.data)
    yield from scan.found
