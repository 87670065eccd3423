"""Opening a database: created whole or not at all, migrated, 0600, never overwritten."""

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import zstandard
from sqlite_utils import Database

from replayproxy.errors import DatabaseError
from replayproxy.store import packing, rollups, span_view, views
from replayproxy.store.migrations import APPLICATION_ID, migrations
from replayproxy.store.percentiles import Percentiles

BUSY_TIMEOUT_S = 5.0


def register_functions(connection: sqlite3.Connection) -> None:
    """The SQL functions of our views and queries.

    `replayproxy_chunks(chunk_table)` gives JSON; `replayproxy_percentiles(value, weight)`
    likewise; `replayproxy_bucket(ms)` the middle of a histogram's bucket.
    """
    connection.create_function("replayproxy_chunks", 1, packing.as_json, deterministic=True)
    connection.create_aggregate("replayproxy_percentiles", -1, Percentiles)
    connection.create_function("replayproxy_bucket", 1, rollups.bucket_of, deterministic=True)
    span_view.register(connection)


def open_for_writing(path: Path) -> Database:
    """The database at `path`, created or migrated if need be.

    Raises:
        DatabaseError: it is not ours, is damaged, too new, or cannot be written.
    """
    with as_database_error(path):
        if not path.exists():
            _create(path)
        _check_file(path)
        connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, check_same_thread=False)
        with _closed_on_error(connection):
            register_functions(connection)
            _check_is_ours(connection, path)
            db = Database(connection)
            if migrations.pending(db):
                _migrate(db)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute(f"PRAGMA journal_size_limit = {16 * 1024 * 1024}")
            # Writing is what will be asked for: find out now, not in mid-stream.
            connection.execute("BEGIN IMMEDIATE")
            connection.rollback()
            return db


def open_for_reading(path: Path) -> Database:
    """The database at `path`, read-only; also from a read-only folder.

    A database of an older version is migrated first.

    Raises:
        DatabaseError: there is none, or it is not ours, damaged, or too new.
    """
    with as_database_error(path):
        if not path.exists():
            raise DatabaseError(
                path=path,
                reason="it does not exist",
                hint="Record something first (replayproxy record), or name another with --db.",
            )
        _check_file(path)
        connection = _connect_read_only(path)
        with _closed_on_error(connection):
            register_functions(connection)
            _check_is_ours(connection, path)
            db = Database(connection)
            if migrations.pending(db):
                db.close()
                open_for_writing(path).close()
                return open_for_reading(path)
            return db


def open_as_it_is(path: Path) -> sqlite3.Connection:
    """The database at `path`, read-only, whatever the age of its schema.

    Raises:
        DatabaseError: it is not ours, is damaged, or too new.
    """
    with as_database_error(path):
        _check_file(path)
        connection = _connect_read_only(path)
        with _closed_on_error(connection):
            register_functions(connection)
            _check_is_ours(connection, path)
            return connection


def fingerprint_key(connection: sqlite3.Connection) -> bytes:
    """The database's own secret for fingerprints, made on first use."""
    with connection:
        connection.execute(
            "INSERT OR IGNORE INTO settings (name, value) VALUES ('fingerprint_key', ?)",
            [os.urandom(32)],
        )
    return known_fingerprint_key(connection)


def known_fingerprint_key(connection: sqlite3.Connection) -> bytes:
    """The same, empty if nothing was recorded that needed one."""
    row = connection.execute("SELECT value FROM settings WHERE name = 'fingerprint_key'")
    found = row.fetchone()
    return bytes(found[0]) if found else b""


def _connect_read_only(path: Path) -> sqlite3.Connection:
    """Read-only; `immutable` where a WAL file can't be made and none is there to be read."""
    uri = path.resolve().as_uri()
    connection = sqlite3.connect(
        f"{uri}?mode=ro", uri=True, timeout=BUSY_TIMEOUT_S, check_same_thread=False
    )
    try:
        with _closed_on_error(connection):
            connection.execute("SELECT count(*) FROM sqlite_schema")
    except sqlite3.OperationalError:
        wal = path.with_name(path.name + "-wal")
        if os.access(path.parent, os.W_OK) or (wal.exists() and wal.stat().st_size):
            raise
        connection = sqlite3.connect(f"{uri}?immutable=1", uri=True, check_same_thread=False)
    return connection


def _create(path: Path) -> None:
    """Make the file beside its place and link it there: nobody sees half a schema."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)  # 0600
    os.close(descriptor)
    new = Path(name)
    try:
        with closing(sqlite3.connect(new)) as connection:
            register_functions(connection)
            # before the first table, or never: deleted pages can then leave the file in steps
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            _migrate(Database(connection))
        try:
            os.link(new, path)
        except FileExistsError:
            pass  # another recorder was first: its file is as good
        except OSError:  # a file system without hard links
            if not path.exists():
                new.rename(path)
    finally:
        with suppress(FileNotFoundError):
            new.unlink()


def _migrate(db: Database) -> None:
    """The schema, its views and its sums, in one transaction: all or nothing."""
    db.execute("BEGIN IMMEDIATE")
    try:
        migrations.apply(db)
        views.recreate(db)
        rollups.restart(db.conn)
        while rollups.fold(db.conn):
            pass
        db.conn.commit()
    except BaseException:
        db.conn.rollback()
        raise


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise DatabaseError(path=path, reason="it is a folder", hint="Name a file with --db.")
    if path.stat().st_size == 0:
        raise DatabaseError(
            path=path,
            reason="the file is empty",
            hint="It may have been cut short. Move it away, or name another with --db.",
        )


def _check_is_ours(connection: sqlite3.Connection, path: Path) -> None:
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    if application_id != APPLICATION_ID:
        raise DatabaseError(
            path=path,
            reason="it is an SQLite database of some other program",
            hint="It was left untouched. Name another file with --db.",
        )
    applied = {m.name for m in migrations.applied(Database(connection))}
    known = {m.name for m in migrations._migrations}
    if applied - known:
        raise DatabaseError(
            path=path,
            reason="it was written by a newer replayproxy",
            hint="Upgrade with: pipx upgrade replayproxy",
        )
    connection.execute("SELECT max(id) FROM exchanges").fetchone()


@contextmanager
def _closed_on_error(connection: sqlite3.Connection) -> Iterator[None]:
    try:
        yield
    except BaseException:
        connection.close()
        raise


@contextmanager
def as_database_error(path: Path) -> Iterator[None]:
    """Say what SQLite, zstd and the file system say, as one clear line.

    Raises:
        DatabaseError: in place of what they raise.
    """
    try:
        yield
    except (sqlite3.Error, zstandard.ZstdError) as error:
        message = str(error)
        if "not a database" in message:
            hint = "It was left untouched. Name another file with --db."
        elif "locked" in message:
            hint = "Another program holds it. Close that program and try again."
        elif "readonly" in message or "unable to open" in message:
            hint = "Check the permissions of the file and its folder, or name another with --db."
        else:
            hint = (
                "It may be damaged; it was left untouched. "
                f"Try: sqlite3 {path} .recover | sqlite3 recovered.db"
            )
        raise DatabaseError(path=path, reason=message, hint=hint) from error
    except OSError as error:
        raise DatabaseError(
            path=path,
            reason=error.strerror or str(error),
            hint="Check the path and its permissions, or name another with --db.",
        ) from error
