"""The index: an FTS5 table without content, and what it takes to take things out of it again.

FTS5 forgets a text only when it is told exactly what it was given; `search_docs` has
that, compressed. What is forgotten leaves the file with `purge`, which writes the index
anew in steps. (FTS5's own `secure-delete` would do so at once, but needs SQLite 3.42,
and no earlier one could use the index from then on.)
"""

import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event

from replayproxy.store import space
from replayproxy.store.compression import compress, decompress
from replayproxy.store.connection import as_database_error, open_for_writing
from replayproxy.store.exchange_rows import read_chunks, read_exchange
from replayproxy.store.search.query import spaced
from replayproxy.store.search.text import MAX_CHARS, Text, hash_of, text_of

STEP_S = 0.015
"""So long a step may hold the database."""

TOKENIZER = "unicode61 remove_diacritics 2"

_TABLE = f"""CREATE VIRTUAL TABLE IF NOT EXISTS search
USING fts5(prompt, answer, content='', tokenize='{TOKENIZER}')"""
# CROSS: from the queue, which is short, to the exchanges, and not the other way
_QUEUED = """SELECT id, true, true FROM search_queue CROSS JOIN exchanges ON id = exchange_id
  WHERE outcome IS NOT NULL"""
_NEW = """SELECT id, outcome IS NOT NULL, false FROM exchanges
  WHERE id > (SELECT exchange_id FROM search_position)"""
_NEXT = f"SELECT * FROM ({_QUEUED}) UNION ALL SELECT * FROM ({_NEW} ORDER BY id LIMIT ?) LIMIT ?"
_MAX_EXCHANGES = 500
_PURGED_PAGES = 64

type Progress = Callable[[int, int], None]
"""Is told (done, of all)."""


def is_there(connection: sqlite3.Connection) -> bool:
    """Whether anything was indexed yet."""
    found = connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'search'").fetchone()
    return found is not None


def waiting(connection: sqlite3.Connection) -> int:
    """How many exchanges have ended and are not yet indexed."""
    (count,) = connection.execute(
        f"SELECT (SELECT count(*) FROM ({_QUEUED})) + (SELECT count(*) FROM ({_NEW}))"
        " - (SELECT count(*) FROM exchanges WHERE outcome IS NULL AND id > "
        "(SELECT exchange_id FROM search_position))"
    ).fetchone()
    return int(count)


def catch_up(
    path: Path,
    *,
    on_progress: Progress = lambda done, of_all: None,
    stopped: Event | None = None,
    pause_s: float = STEP_S / 2,
) -> None:
    """Index all that waits, or until it is stopped, with pauses for those who record.

    Args:
        pause_s: between steps, which take `STEP_S`.

    Raises:
        DatabaseError: the database cannot be used, or not be written.
    """
    with as_database_error(path):
        connection = open_for_writing(path).conn
        try:
            done, of_all = 0, waiting(connection)
            stopped = stopped or Event()
            while not stopped.is_set() and (some := step(connection)):
                done += some
                on_progress(min(done, of_all), of_all)
                stopped.wait(pause_s)
        finally:
            connection.close()


def step(connection: sqlite3.Connection) -> int:
    """Index for a moment, in one transaction; returns how many exchanges were looked at."""
    if connection.execute(_NEXT, [1, 1]).fetchone() is None:
        return 0
    try:
        return _index_some(connection)
    except sqlite3.Error as error:
        if not dropped_as_damaged(connection, error):
            raise
        return _index_some(connection)


def _index_some(connection: sqlite3.Connection) -> int:
    done, ends = 0, time.monotonic() + STEP_S
    with space.transaction(connection):
        connection.execute(_TABLE)
        found = connection.execute(_NEXT, [_MAX_EXCHANGES, _MAX_EXCHANGES]).fetchall()
        for exchange_id, has_ended, is_queued in found:
            if is_queued:
                _remove(connection, exchange_id)
                connection.execute("DELETE FROM search_queue WHERE exchange_id = ?", [exchange_id])
            else:
                connection.execute("UPDATE search_position SET exchange_id = ?", [exchange_id])
            if has_ended:
                _put(connection, exchange_id)
            else:
                _queue(connection, exchange_id)
            done += 1
            if time.monotonic() > ends:
                break
    return done


def forget(connection: sqlite3.Connection, exchange_id: int) -> None:
    """Take an exchange out, inside the caller's transaction: it is about to go.

    What it alone had, others may repeat: the next of its thread, and the next one with
    its instructions, are queued to be read again.
    """
    found = connection.execute(
        "SELECT opening, thread FROM search_docs WHERE exchange_id = ?", [exchange_id]
    ).fetchone()
    if found is None:
        return
    _remove(connection, exchange_id)
    for column, value in zip(("opening", "thread"), found, strict=True):
        for which in ("> ? ORDER BY exchange_id", "< ? ORDER BY exchange_id DESC"):
            heir = connection.execute(
                f"""SELECT exchange_id FROM search_docs
                WHERE {column} = ? AND exchange_id {which} LIMIT 1""",
                [value, exchange_id],
            ).fetchone()
            if heir:
                _queue(connection, heir[0])
                break


def purge(connection: sqlite3.Connection) -> Iterator[None]:
    """Write the index anew, without the words of what was forgotten. A step is a transaction."""
    if not is_there(connection):
        return
    pages, moved = -_PURGED_PAGES, 2  # less than zero: all of it; then on with that
    while moved >= 2:
        with space.transaction(connection):
            before = connection.total_changes
            connection.execute("INSERT INTO search (search, rank) VALUES ('merge', ?)", [pages])
            moved = connection.total_changes - before
        pages = _PURGED_PAGES
        yield


def rebuild(path: Path, *, on_progress: Progress = lambda done, of_all: None) -> None:
    """Make the index anew, from the stored bodies.

    Raises:
        DatabaseError: the database cannot be used, or not be written.
    """
    with as_database_error(path):
        connection = open_for_writing(path).conn
        try:
            with space.transaction(connection):
                start_over(connection)
        finally:
            connection.close()
    catch_up(path, on_progress=on_progress)


def is_damage(error: sqlite3.Error) -> bool:
    """Whether it is the index that is broken, and not the disk, a lock or the file."""
    code = getattr(error, "sqlite_errorcode", 0)  # Python's own errors have none
    logic = {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT}
    return code == sqlite3.SQLITE_CORRUPT_VTAB or code & 0xFF in logic


def dropped_as_damaged(connection: sqlite3.Connection, error: sqlite3.Error) -> bool:
    """Drop the index if it caused this error, and not the disk, a lock or the file.

    It is derived, and will be made anew. What failed can be tried again.
    """
    if not is_there(connection) or not is_damage(error):
        return False
    with space.transaction(connection):
        start_over(connection)
    return True


def start_over(connection: sqlite3.Connection) -> None:
    """Drop the index and begin at the first exchange, inside the caller's transaction."""
    connection.execute("DROP TABLE IF EXISTS search")
    connection.execute("DELETE FROM search_docs")
    connection.execute("DELETE FROM search_once")
    connection.execute("DELETE FROM search_queue")
    connection.execute("UPDATE search_position SET exchange_id = 0")


def _queue(connection: sqlite3.Connection, exchange_id: int) -> None:
    connection.execute("INSERT OR IGNORE INTO search_queue (exchange_id) VALUES (?)", [exchange_id])


def _put(connection: sqlite3.Connection, exchange_id: int) -> None:
    exchange = read_exchange(connection, exchange_id)
    if exchange is None:
        return
    text = text_of(exchange, read_chunks(connection, exchange_id))
    prompt = spaced("\n".join(_claimed(connection, exchange_id, text))[:MAX_CHARS])
    answer = spaced(text.answer[:MAX_CHARS])
    if not prompt and not answer:
        return
    connection.execute(
        "INSERT INTO search (rowid, prompt, answer) VALUES (?, ?, ?)",
        [exchange_id, prompt, answer],
    )
    connection.execute(
        """INSERT INTO search_docs (exchange_id, prompt, answer, opening, thread)
        VALUES (?, ?, ?, ?, ?)""",
        [exchange_id, pack(prompt), pack(answer), text.opening, text.thread],
    )


def _claimed(connection: sqlite3.Connection, exchange_id: int, text: Text) -> Iterator[str]:
    """The messages that are indexed with this exchange, which claims them for all that follow."""
    for said in text.repeated:
        if _claim(connection, exchange_id, said):
            yield said
    for said in text.new:
        _claim(connection, exchange_id, said)
        yield said
    if text.echo:
        _claim(connection, exchange_id, text.echo)


def _claim(connection: sqlite3.Connection, exchange_id: int, said: str) -> bool:
    claimed = connection.execute(
        "INSERT OR IGNORE INTO search_once (hash, exchange_id) VALUES (?, ?)",
        [hash_of(said), exchange_id],
    )
    return bool(claimed.rowcount)


def _remove(connection: sqlite3.Connection, exchange_id: int) -> None:
    found = connection.execute(
        "SELECT prompt, answer FROM search_docs WHERE exchange_id = ?", [exchange_id]
    ).fetchone()
    if found is None:
        return
    prompt, answer = map(unpack, found)
    connection.execute(
        "INSERT INTO search (search, rowid, prompt, answer) VALUES ('delete', ?, ?, ?)",
        [exchange_id, prompt, answer],
    )
    connection.execute("DELETE FROM search_docs WHERE exchange_id = ?", [exchange_id])
    connection.execute("DELETE FROM search_once WHERE exchange_id = ?", [exchange_id])


def pack(text: str) -> bytes:
    """As it is stored."""
    return compress(text.encode())


def unpack(data: bytes) -> str:
    """What `pack` was given."""
    return decompress(data).decode() if data else ""
