"""Bodies by content: each stored once, compressed, however often it was sent."""

import hashlib
import sqlite3

from replayproxy.store.compression import compress, decompress


def put(connection: sqlite3.Connection, data: bytes) -> int | None:
    """Store a body; returns its id, None for an empty one."""
    if not data:
        return None
    sha256 = hashlib.sha256(data).digest()
    return _find(connection, sha256) or _insert(connection, sha256, len(data), compress(data))


def put_compressed(
    connection: sqlite3.Connection, *, sha256: bytes, size: int, data: bytes
) -> int | None:
    """The same for a body that was compressed already."""
    if not size:
        return None
    return _find(connection, sha256) or _insert(connection, sha256, size, data)


def get(connection: sqlite3.Connection, body_id: int | None) -> bytes:
    """A body; empty for None."""
    if body_id is None:
        return b""
    row = connection.execute("SELECT data FROM bodies WHERE id = ?", [body_id]).fetchone()
    return decompress(row[0])


def _find(connection: sqlite3.Connection, sha256: bytes) -> int | None:
    row = connection.execute("SELECT id FROM bodies WHERE sha256 = ?", [sha256]).fetchone()
    return None if row is None else int(row[0])


def _insert(connection: sqlite3.Connection, sha256: bytes, size: int, data: bytes) -> int:
    cursor = connection.execute(
        "INSERT INTO bodies (sha256, size, data) VALUES (?, ?, ?)", [sha256, size, data]
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid
