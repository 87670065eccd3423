"""The file's size: what is in use, what is free inside it, and giving that back.

New databases have `auto_vacuum=INCREMENTAL`: their free pages leave the file in
small steps, beside a running recorder. Older ones need a VACUUM, which writes
the file anew and is no thing to do while somebody records.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from replayproxy.store.liveness import is_alive

MAX_WAL_BYTES = 32 * 1024 * 1024
_INCREMENTAL = 2
_STEP_PAGES = 256


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Write, as the only one who does; all of it or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.commit()
    except BaseException:
        if connection.in_transaction:
            connection.rollback()
        raise


def used_bytes(connection: sqlite3.Connection) -> int:
    """The size of the file, once all that is free in it has been given back."""
    return (_pragma(connection, "page_count") * _page_size(connection)) - free_bytes(connection)


def free_bytes(connection: sqlite3.Connection) -> int:
    """What is free inside the file; the next recordings use it."""
    return _pragma(connection, "freelist_count") * _page_size(connection)


def can_shrink(connection: sqlite3.Connection) -> bool:
    """Whether free pages can leave the file in small steps."""
    return _pragma(connection, "auto_vacuum") == _INCREMENTAL


def shrink_a_little(connection: sqlite3.Connection) -> int:
    """Take some free pages off the end of the file; returns the bytes, 0 if there are none.

    They leave the disk with the next checkpoint.
    """
    with transaction(connection):
        before = _pragma(connection, "page_count")
        # sqlite3 runs it to its end only if its (empty) rows are fetched
        connection.execute(f"PRAGMA incremental_vacuum({_STEP_PAGES})").fetchall()
        after = _pragma(connection, "page_count")
    return (before - after) * _page_size(connection)


def rewrite(connection: sqlite3.Connection) -> int:
    """Write the file anew, without what is free in it; returns the bytes that are gone.

    From then on it can shrink in steps.
    """
    before = _pragma(connection, "page_count")
    connection.execute(f"PRAGMA auto_vacuum = {_INCREMENTAL}")
    connection.execute("VACUUM")
    return (before - _pragma(connection, "page_count")) * _page_size(connection)


def is_recorded_into(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether a living recorder holds the database."""
    runs = connection.execute("SELECT id FROM runs WHERE ended_at IS NULL").fetchall()
    return any(is_alive(path, run_id) for (run_id,) in runs)


def checkpoint(connection: sqlite3.Connection) -> bool:
    """Bring the WAL file into the database and cut both to size; False if a reader prevents it.

    Waits for nobody, and holds writers up for no longer than the cutting takes.
    """
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
    patience_ms = _pragma(connection, "busy_timeout")
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        # it would wait for readers with the write lock in its hands
        (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        connection.execute(f"PRAGMA busy_timeout = {patience_ms}")
    return not busy


def keeps_wal_small(connection: sqlite3.Connection, path: Path) -> bool:
    """False while a reader makes the WAL file grow past `MAX_WAL_BYTES`."""
    wal = path.with_name(path.name + "-wal")
    try:
        size = wal.stat().st_size
    except FileNotFoundError:
        return True
    return size <= MAX_WAL_BYTES or checkpoint(connection)


def _page_size(connection: sqlite3.Connection) -> int:
    return _pragma(connection, "page_size")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    (value,) = connection.execute(f"PRAGMA {name}").fetchone()
    return int(value)
