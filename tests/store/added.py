"""Rows put into a database by hand, for what adds them up."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from replayproxy.store.connection import open_for_writing
from replayproxy.store.sql import insert


@contextmanager
def empty_database(path: Path) -> Iterator[sqlite3.Connection]:
    """A database with one run and no exchange."""
    with closing(open_for_writing(path).conn) as opened:
        opened.execute("INSERT INTO runs VALUES (1, '2026-01-01', NULL, 1, '')")
        yield opened


def add(connection: sqlite3.Connection, **columns: object) -> int:
    """A row of `exchanges`."""
    row = {
        "cassette": "default",
        "started_at": "2026-09-01T12:00:00.000000Z",
        "method": "POST",
        "host": "api.openai.com",
        "path": "/v1/chat/completions",
        "status": 200,
        "outcome": "completed",
        "protocol": "openai_chat",
        "request_model": "gpt-4o",
        "run_id": 1,
    }
    return insert(connection, "exchanges", {**row, **columns})


def add_replay(connection: sqlite3.Connection, **columns: object) -> int:
    """A row of `replays`: a hit."""
    row = {
        "replayed_at": "2026-09-01T13:00:00.000000Z",
        "cassette": "default",
        "session": "",
        "result": "hit",
        "method": "POST",
        "host": "api.openai.com",
        "path": "/",
        "request_model": "gpt-4o",
    }
    return insert(connection, "replays", {**row, **columns})
