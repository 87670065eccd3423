"""Bodies by content: each stored once, compressed, however often it was sent.

A body may be stored against another (`base_id`): then it takes that one to read it.
"""

import hashlib
import sqlite3

from replayproxy.store.compression import (
    compress,
    compress_against,
    decompress,
    decompress_against,
)
from replayproxy.store.histories import MAX_HOPS, Histories, Stored

_WORTH_IT = 0.5
"""Against another it must take at most so much of what it takes by itself."""


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


def put_next(connection: sqlite3.Connection, data: bytes, histories: Histories) -> Stored | None:
    """Store a body that may go on from an earlier one; None for an empty one.

    To be remembered by `histories` once it is committed.
    """
    if not data:
        return None
    sha256 = hashlib.sha256(data).digest()
    if (found := _find(connection, sha256)) is not None:
        return Stored(id=found, sha256=sha256, data=data, hops=len(_chain(connection, found)) - 1)
    whole = compress(data)
    base = histories.before(data)
    if base and base.hops < MAX_HOPS and _find(connection, base.sha256) == base.id:
        against = compress_against(data, base.data)
        if len(against) <= _WORTH_IT * len(whole):
            body_id = _insert(connection, sha256, len(data), against, base.id)
            return Stored(id=body_id, sha256=sha256, data=data, hops=base.hops + 1)
    body_id = _insert(connection, sha256, len(data), whole)
    return Stored(id=body_id, sha256=sha256, data=data, hops=0)


def get(connection: sqlite3.Connection, body_id: int | None) -> bytes:
    """A body; empty for None."""
    if body_id is None:
        return b""
    *others, first = _chain(connection, body_id)
    body = decompress(first)
    for data in reversed(others):
        body = decompress_against(data, body)
    return body


def stand_alone(connection: sqlite3.Connection, base_id: int) -> None:
    """Store those anew that take this one to be read: it is about to go."""
    for (body_id,) in connection.execute(
        "SELECT id FROM bodies WHERE base_id = ?", [base_id]
    ).fetchall():
        connection.execute(
            "UPDATE bodies SET data = ?, base_id = NULL WHERE id = ?",
            [compress(get(connection, body_id)), body_id],
        )


def _chain(connection: sqlite3.Connection, body_id: int | None) -> list[bytes]:
    """What is stored of a body, of the one it was stored against, and so on."""
    chain: list[bytes] = []
    while body_id is not None:
        data, body_id = connection.execute(
            "SELECT data, base_id FROM bodies WHERE id = ?", [body_id]
        ).fetchone()
        chain.append(data)
    return chain


def _find(connection: sqlite3.Connection, sha256: bytes) -> int | None:
    row = connection.execute("SELECT id FROM bodies WHERE sha256 = ?", [sha256]).fetchone()
    return None if row is None else int(row[0])


def _insert(
    connection: sqlite3.Connection,
    sha256: bytes,
    size: int,
    data: bytes,
    base_id: int | None = None,
) -> int:
    cursor = connection.execute(
        "INSERT INTO bodies (sha256, size, data, base_id) VALUES (?, ?, ?, ?)",
        [sha256, size, data, base_id],
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid
