"""A database of any size, made in a minute: rows straight into the tables."""

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from itertools import batched
from pathlib import Path

from replayproxy.matching import match_key
from replayproxy.model import Request
from replayproxy.store import packing
from replayproxy.store.compression import compress
from replayproxy.store.connection import open_for_writing
from tests.benchmarks.load import HOST, PATH

CASSETTES = {"default": 0.9, "smaller": 0.1}
"""Their names, and what part of all exchanges each holds."""

_BATCH = 2_000
_ANSWER = b'{"choices":[{"message":{"content":"42"}}]}'
_HEADERS = json.dumps([["Content-Type", "application/json"], ["Content-Length", str(len(_ANSWER))]])
_TABLE = packing.pack([(1_000_000, len(_ANSWER))])


def asking(number: int, cassette: str = "default") -> Request:
    """The request of the exchange of this number: no two are alike."""
    body = {
        "model": f"gpt-4o-{number % 5}",
        "messages": [
            {"role": "system", "content": "You are a helpful assistant."},
            {"role": "user", "content": f"{cassette} asks for number {number}. " * 3},
        ],
        "metadata": {"request_id": f"{number:032x}"},
        "temperature": 0.2,
    }
    return Request(
        method="POST",
        scheme="https",
        host=HOST,
        port=443,
        path=PATH,
        headers=(("Content-Type", "application/json"),),
        body=json.dumps(body).encode(),
    )


def fill(path: Path, exchanges: int) -> None:
    """Make a database with so many exchanges."""
    with closing(open_for_writing(path).conn) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("INSERT INTO runs VALUES (1, '2026-01-01', '2026-01-02', 1, '')")
        connection.execute(
            "INSERT INTO bodies (id, sha256, size, data) VALUES (1, x'00', ?, ?)",
            [len(_ANSWER), compress(_ANSWER)],
        )
        with without_indexes(connection):
            for some in batched(_numbered(exchanges), _BATCH):
                _insert(connection, some)
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _numbered(exchanges: int) -> Iterator[tuple[int, str, Request]]:
    exchange_id = 0
    for cassette, part in CASSETTES.items():
        for number in range(round(exchanges * part)):
            exchange_id += 1
            yield exchange_id, cassette, asking(number, cassette)


def _insert(connection: sqlite3.Connection, some: Iterable[tuple[int, str, Request]]) -> None:
    def many(sql: str, row: Callable[[int, str, Request], tuple[object, ...]]) -> None:
        connection.executemany(sql, [row(*one) for one in some])

    many(
        "INSERT INTO bodies (id, sha256, size, data) VALUES (?, ?, ?, ?)",
        # a number does as a digest here: the bodies are all different
        lambda i, _, r: (i + 1, i.to_bytes(32), len(r.body), compress(r.body)),
    )
    many(
        """INSERT INTO exchanges (id, cassette, started_at, method, host, path, status, outcome,
        protocol, request_model, request_bytes, response_bytes, chunk_count, run_id)
        VALUES (?, ?, '2026-01-01T00:00:00.000000Z', 'POST', ?, ?, 200, 'completed',
        'openai_chat', ?, ?, ?, 1, 1)""",
        lambda i, c, r: (i, c, r.host, r.path, f"gpt-4o-{i % 5}", len(r.body), len(_ANSWER)),
    )
    many(
        """INSERT INTO requests (exchange_id, scheme, port, query, http_version, headers, body_id)
        VALUES (?, 'https', 443, '', 'HTTP/1.1', '[["Content-Type", "application/json"]]', ?)""",
        lambda i, _, __: (i, i + 1),
    )
    many(
        """INSERT INTO responses (exchange_id, reason, http_version, headers, headers_offset_ns,
        end_offset_ns, ending, body_id, chunk_table)
        VALUES (?, 'OK', 'HTTP/1.1', ?, 1000000, 2000000, 'finished', 1, ?)""",
        lambda i, _, __: (i, _HEADERS, _TABLE),
    )
    many(
        "INSERT INTO match_keys (key, cassette, host, exchange_id) VALUES (?, ?, ?, ?)",
        lambda i, c, r: (match_key(r), c, r.host, i),
    )


class without_indexes:  # noqa: N801 (used as a statement)
    """Drop what slows inserts down, and make it anew at the end."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._made = connection.execute(
            "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL"
        ).fetchall()

    def __enter__(self) -> None:
        for name, _ in self._made:
            self._connection.execute(f"DROP INDEX {name}")

    def __exit__(self, *_: object) -> None:
        for _, sql in self._made:
            self._connection.execute(sql)
