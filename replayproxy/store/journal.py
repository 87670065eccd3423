"""Streams in flight: what was flushed so far, piece by piece, until they are done."""

import sqlite3

from replayproxy.store.sql import insert


def append(
    connection: sqlite3.Connection, exchange_id: int, seq: int, data: bytes, chunk_table: bytes
) -> None:
    """Add a row: a zstd frame, and the part of the chunk table that goes with it."""
    columns = {"exchange_id": exchange_id, "seq": seq, "data": data, "chunk_table": chunk_table}
    insert(connection, "journal", columns)


def read(
    connection: sqlite3.Connection, exchange_id: int, *, before: int = -1
) -> tuple[bytes, bytes]:
    """The rows joined, or those before a `seq`: zstd frames, and the chunk table."""
    found = connection.execute(
        """SELECT data, chunk_table FROM journal
        WHERE exchange_id = ? AND (? < 0 OR seq < ?) ORDER BY seq""",
        [exchange_id, before, before],
    ).fetchall()
    return b"".join(row[0] for row in found), b"".join(row[1] for row in found)


def clear(connection: sqlite3.Connection, exchange_id: int, *, after: int = 0) -> None:
    """Forget the rows, or those from a `seq` on: what they hold stands elsewhere."""
    connection.execute(
        "DELETE FROM journal WHERE exchange_id = ? AND seq >= ?", [exchange_id, after]
    )
