"""A slim copy of a database: one file, no log beside it, readable from a read-only medium."""

import sqlite3
from collections.abc import Collection
from contextlib import closing
from pathlib import Path

from replayproxy.store import search, space
from replayproxy.store.connection import as_database_error, open_for_reading, open_for_writing
from replayproxy.store.pruning import delete

_NOT_WANTED = "SELECT id FROM exchanges WHERE outcome IS NULL OR cassette NOT IN"


def copy(source: Path, target: Path, *, cassettes: Collection[str] | None = None) -> int:
    """Copy what has ended, of these cassettes or of all; returns how many exchanges.

    The key of the fingerprints stays behind: whoever gets the file cannot even try
    whether a secret is the one. So does the log of replays.

    Args:
        target: a path where there is no file yet.

    Raises:
        DatabaseError: one of the files cannot be used.
    """
    with (
        closing(open_for_reading(source).conn) as original,
        closing(open_for_writing(target).conn) as other,
        as_database_error(source),
    ):
        original.backup(other)
        with space.transaction(other):  # whoever searches the copy makes its index
            search.start_over(other)
        wanted = cassettes
        if wanted is None:
            found = other.execute("SELECT DISTINCT cassette FROM exchanges")
            wanted = [row[0] for row in found]
        marks = ", ".join("?" * len(wanted))
        ids = [row[0] for row in other.execute(f"{_NOT_WANTED} ({marks})", list(wanted))]
    if ids:
        delete(target, ids)
    with closing(open_for_writing(target).conn) as other, as_database_error(target):
        return _slim(other)


def _slim(connection: sqlite3.Connection) -> int:
    with connection:
        connection.execute("DELETE FROM replays")
        connection.execute("DELETE FROM settings WHERE name = 'fingerprint_key'")
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.execute("VACUUM")
    (count,) = connection.execute("SELECT count(*) FROM exchanges").fetchone()
    return int(count)
