"""A database of 90 days with any number of exchanges, made in minutes.

    python -m tests.benchmarks.ninety_days FILE [EXCHANGES]

Some hundred exchanges of all kinds go through the real Writer; the rest are copies of
their rows with other times, models, tags, keys, tokens, costs and latencies (log-normal,
busier by day than by night), straight into the tables. Copies share the bodies of what
they are copies of: it is the tables that a dashboard reads. Their sums come from
`replayproxy.store.rebuild`, as after an import.
"""

import random
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import batched
from math import cos, pi
from pathlib import Path
from typing import Any

from replayproxy.store import rebuild
from replayproxy.store.connection import open_for_writing
from replayproxy.store.replay_log import Result
from replayproxy.store.rows import to_timestamp
from tests.benchmarks.library import without_indexes
from tests.dashboards.sample import large, replay

DAYS = 90
_ORIGINALS = 300
_TABLES = {"exchanges": "id", "requests": "exchange_id", "responses": "exchange_id"}
_BATCH = 5_000
_MODELS = {  # share, usual TTFT in ms, USD for a thousand output tokens, tokens a second
    "claude-sonnet-4-5": (43, 640, 0.015, 70),
    "gpt-4o": (46, 410, 0.010, 75),
    "gpt-5": (30, 900, 0.010, 60),
    "claude-haiku-4-5": (30, 370, 0.005, 120),
    "gemini-2.5-pro": (17, 1270, 0.010, 65),
    "gpt-5-mini": (40, 500, 0.002, 95),
    "gemini-2.5-flash": (23, 350, 0.0025, 180),
    "mistral-large": (7, 480, 0.006, 55),
    "claude-opus-4-1": (6, 1100, 0.075, 38),
    "gpt-4o-mini": (73, 310, 0.0006, 110),
    "llama-3.3-70b": (10, 220, None, 35),
    "qwen3-32b": (7, 180, None, 42),
}
_TAGS = {"prod": 60, "eval": 20, "staging": 12, None: 8}
_KEYS = {"fp:6d1f09": 70, "fp:a41c77": 20, "fp:0b93e2": 10}
_ERRORS = {429: "rate_limit_exceeded", 500: "server_error", 400: "invalid_request_error"}


def make(path: Path, exchanges: int, *, seed: int = 1) -> None:
    """Make it; `path` must not exist yet."""
    large(path, min(_ORIGINALS, exchanges), days=0.001, seed=seed)
    with closing(open_for_writing(path).conn) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("DELETE FROM uncounted")
        connection.execute("DELETE FROM match_keys")
        with without_indexes(connection):
            _spread(connection, exchanges, random.Random(seed))
        # copies say what their originals say: the search is not what is measured
        connection.execute(
            "UPDATE search_position SET exchange_id = (SELECT max(id) FROM exchanges)"
        )
        connection.commit()
    rebuild(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    hits: list[Result] = ["hit"] * 40
    replay(path, *hits, exchange_id=1)
    replay(path, "miss", "miss")


def _spread(connection: sqlite3.Connection, exchanges: int, chance: random.Random) -> None:
    """Give the originals and so many copies of them figures of their own, oldest first."""
    originals = [row[0] for row in connection.execute("SELECT id FROM exchanges ORDER BY id")]
    for table, key in _TABLES.items():
        connection.execute(f"CREATE TEMP TABLE some_{table} AS SELECT * FROM {table}")
        connection.execute(f"CREATE INDEX temp.of_{table} ON some_{table} ({key})")
    connection.execute("DELETE FROM exchanges")  # and with them all that belongs to them
    statements = [_copying(connection, table) for table in _TABLES]
    for some in batched(enumerate(_moments(exchanges, chance), start=1), _BATCH):
        rows = [
            {"id": number, "original": chance.choice(originals), **_figures(moment, chance)}
            for number, moment in some
        ]
        for statement in statements:
            connection.executemany(statement, rows)


def _copying(connection: sqlite3.Connection, table: str) -> str:
    """The statement that inserts a copy with another id and other figures."""
    key = _TABLES[table]
    ours = {key: ":id"}
    if table == "exchanges":
        ours |= {name: f":{name}" for name in _FIGURES}
    columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    values = ", ".join(ours.get(name, name) for name in columns)
    return f"INSERT INTO {table} SELECT {values} FROM some_{table} WHERE {key} = :original"


def _moments(count: int, chance: random.Random) -> Iterator[datetime]:
    """In their order, most of them by day, until now."""
    now = datetime.now(UTC)
    at = [chance.random() * DAYS for _ in range(count)]
    # twice the day's noon against its midnight
    kept = [day + 0.06 * cos(2 * pi * (day % 1)) for day in at]
    for age in sorted(kept, reverse=True):
        yield now - timedelta(days=max(0.0, age))


_FIGURES = (
    "started_at", "request_model", "response_model", "tag", "key_fingerprint", "status", "outcome",
    "error", "input_tokens", "cache_read_tokens", "output_tokens", "cost_usd", "computed_cost_usd",
    "reported_cost_usd", "cost_source", "time_to_headers_ms", "time_to_first_chunk_ms",
    "time_to_first_content_ms", "duration_ms", "longest_gap_ms", "stalls", "provider", "cassette",
)  # fmt: skip


def _figures(moment: datetime, chance: random.Random) -> dict[str, Any]:
    model = chance.choices([*_MODELS], [share for share, *_ in _MODELS.values()])[0]
    _, ttft, price, speed = _MODELS[model]
    failed = chance.random() < 0.03
    asked = int(900 * chance.lognormvariate(0, 1))
    told = 0 if failed else 1 + int(260 * chance.lognormvariate(0, 0.9))
    first = ttft * chance.lognormvariate(0, 0.45)
    stalled = not failed and chance.random() < 0.01
    gap = chance.uniform(400, 6_000) if stalled else chance.uniform(30, 240)
    status = chance.choice([*_ERRORS]) if failed else 200
    cost = None if price is None or failed else (told * price + asked * price / 4) / 1_000
    return {
        "started_at": to_timestamp(moment),
        "request_model": model,
        "response_model": model,
        "provider": "aigateway",
        "cassette": "default",
        "tag": chance.choices([*_TAGS], [*_TAGS.values()])[0],
        "key_fingerprint": chance.choices([*_KEYS], [*_KEYS.values()])[0],
        "status": status,
        "outcome": "completed",
        "error": _ERRORS.get(status),
        "input_tokens": None if failed else asked,
        "cache_read_tokens": None if failed else int(asked * chance.random() ** 2),
        "output_tokens": None if failed else told,
        "cost_usd": cost,
        "computed_cost_usd": cost,
        "reported_cost_usd": None,
        "cost_source": "genai-prices" if cost is not None else "unknown_model",
        "time_to_headers_ms": round(first * 0.6, 3),
        "time_to_first_chunk_ms": None if failed else round(first * 0.9, 3),
        "time_to_first_content_ms": None if failed else round(first, 3),
        "duration_ms": round(first + told / speed * 1000 + gap * stalled, 3),
        "longest_gap_ms": None if failed else round(gap, 3),
        "stalls": None if failed else int(stalled),
    }


if __name__ == "__main__":
    make(Path(sys.argv[1]), int(sys.argv[2]) if sys.argv[2:] else 1_000_000)
