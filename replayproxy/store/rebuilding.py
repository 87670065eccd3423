"""What is derived from stored exchanges, made anew: rhythms, rollups, SQLite's statistics."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from replayproxy.store import packing, rollups, rows, space
from replayproxy.store.connection import as_database_error, open_for_writing
from replayproxy.store.sql import update

_BATCH = 500
_WITHOUT_RHYTHM = """
SELECT exchanges.id, chunk_table FROM exchanges JOIN responses ON exchange_id = exchanges.id
WHERE exchanges.id > ? AND longest_gap_ms IS NULL AND chunk_count > 1 AND chunk_table IS NOT NULL
ORDER BY exchanges.id LIMIT ?"""

type Progress = Callable[[int, int], None]


def rebuild(path: Path, on_progress: Progress = lambda done, of_all: None) -> int:
    """Derive everything anew, beside running recorders; returns how many exchanges there are.

    Raises:
        DatabaseError: it cannot be used; run it again then.
    """
    with closing(open_for_writing(path).conn) as connection, as_database_error(path):
        _rhythms(connection)
        counted = rollups.rebuild(connection, on_progress)
        connection.execute("PRAGMA analysis_limit = 1000")
        connection.execute("ANALYZE")
        connection.commit()
        return counted


def _rhythms(connection: sqlite3.Connection) -> None:
    """Of what an earlier version recorded."""
    last = 0
    while found := connection.execute(_WITHOUT_RHYTHM, [last, _BATCH]).fetchall():
        with space.transaction(connection):
            for exchange_id, table in found:
                columns = rows.rhythm_columns([offset for offset, _ in packing.unpack(table)])
                update(connection, "exchanges", columns, id=exchange_id)
        last = found[-1][0]
