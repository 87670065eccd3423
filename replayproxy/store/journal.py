"""Streams in flight: what was flushed so far, piece by piece, until they are done."""

import sqlite3

from replayproxy.store.sql import insert


def append(
    connection: sqlite3.Connection, exchange_id: int, seq: int, data: bytes, chunk_table: bytes
) -> None:
    """Add a piece: compressed bytes, and the part of the chunk table that goes with them."""
    columns = {"exchange_id": exchange_id, "seq": seq, "data": data, "chunk_table": chunk_table}
    insert(connection, "journal", columns)


def read(connection: sqlite3.Connection, exchange_id: int) -> tuple[bytes, bytes]:
    """The pieces joined (one zstd frame, perhaps without its end) and the chunk table."""
    found = connection.execute(
        "SELECT data, chunk_table FROM journal WHERE exchange_id = ? ORDER BY seq", [exchange_id]
    ).fetchall()
    return b"".join(row[0] for row in found), b"".join(row[1] for row in found)


def clear(connection: sqlite3.Connection, exchange_id: int) -> None:
    """The exchange is finished: its body is stored whole."""
    connection.execute("DELETE FROM journal WHERE exchange_id = ?", [exchange_id])
