"""Bodies by content."""

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from replayproxy.store import bodies
from replayproxy.store.compression import compress
from replayproxy.store.connection import open_for_writing


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(open_for_writing(tmp_path / "a.db").conn) as opened:
        yield opened


def count(connection: sqlite3.Connection) -> int:
    (number,) = connection.execute("SELECT count(*) FROM bodies").fetchone()
    return int(number)


def test_a_body_is_stored_and_found(connection: sqlite3.Connection) -> None:
    body_id = bodies.put(connection, b"hello")

    assert bodies.get(connection, body_id) == b"hello"


def test_equal_bodies_are_stored_once(connection: sqlite3.Connection) -> None:
    first, again = bodies.put(connection, b"hello"), bodies.put(connection, b"hello")
    other = bodies.put(connection, b"hello!")

    assert first == again != other
    assert count(connection) == 2


def test_an_empty_body_is_no_row(connection: sqlite3.Connection) -> None:
    assert bodies.put(connection, b"") is None
    assert bodies.put_compressed(connection, sha256=b"", size=0, data=b"") is None
    assert bodies.get(connection, None) == b""
    assert count(connection) == 0


def test_a_body_that_was_compressed_already_is_the_same_body(
    connection: sqlite3.Connection,
) -> None:
    sha256 = hashlib.sha256(b"hello").digest()

    first = bodies.put_compressed(connection, sha256=sha256, size=5, data=compress(b"hello"))
    again = bodies.put_compressed(connection, sha256=sha256, size=5, data=compress(b"hello"))

    assert first == again == bodies.put(connection, b"hello")
    assert bodies.get(connection, first) == b"hello"
