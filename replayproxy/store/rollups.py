"""Rollups: sums by day, so that a long range is read from thousands of rows, not from a million.

Rule: an exchange is in the rollups or in `uncounted`, in one of them and once. A recorder
notes its id there, in the transaction that begins it; once they have ended, many are
counted at once, in SQL. Whoever deletes or reprices takes back first.

`daily_figures` has one row for each day and whatever one can filter by, so that no
combination of filters is only nearly right. `daily_latencies` has histograms for each
day and one such dimension: a time is counted as the middle of its bucket, at most
2.5 % away. In both, "" stands for null.
"""

import json
import sqlite3
from collections.abc import Callable, Iterable
from math import ceil, log

from replayproxy.store import space

FOLD_AT = 1_000
"""So many uncounted exchanges are worth counting; they are read row by row until then."""

_BASE = 1.05
_LEAST_MS = 0.01

DIMENSIONS = ("provider", "model", "tag", "key_fingerprint", "cassette")
"""Columns of `figures` that one can filter by."""

_SUMS = (
    "cost_usd", "input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens",
    "reasoning_tokens", "generated_tokens", "generation_ms",
)  # fmt: skip
MEASURES = ("time_to_first_content_ms", "duration_ms")


def sum_columns() -> Iterable[tuple[str, str]]:
    """The columns of `daily_figures` that are added up, and of what."""
    yield "exchanges", "1"
    yield "errors", "failed"
    yield "exchanges_without_cost", "cost_usd IS NULL"
    yield "stalled", "coalesce(stalls > 0, 0)"
    for name in _SUMS:
        yield name, f"coalesce({name}, 0)"
        # so that nothing said stays apart from 0, also after something was taken back
        yield f"{name}_said", f"{name} IS NOT NULL"


_KEY = ("day", *DIMENSIONS)
_NAMES = [name for name, _ in sum_columns()]
_ADD_FIGURES = f"""
INSERT INTO daily_figures ({", ".join((*_KEY, *_NAMES))})
SELECT day, {", ".join(f"coalesce({name}, '')" for name in DIMENSIONS)},
  {", ".join(f"{{sign}} sum({value})" for _, value in sum_columns())}
FROM figures WHERE id IN ({{ids}}) GROUP BY {", ".join(map(str, range(1, len(_KEY) + 1)))}
ON CONFLICT DO UPDATE SET {", ".join(f"{name} = {name} + excluded.{name}" for name in _NAMES)}"""

_COUNTED_BY = " UNION ALL ".join(
    f"""SELECT '{dimension}', '{measure}', day, coalesce({dimension}, ''), {measure},
      {{sign}} count(*)
    FROM measured WHERE {measure} IS NOT NULL GROUP BY day, {dimension}, {measure}"""
    for dimension in DIMENSIONS
    for measure in MEASURES
)
_ADD_LATENCIES = f"""
WITH measured AS MATERIALIZED (
  SELECT day, {", ".join(DIMENSIONS)},
    {", ".join(f"replayproxy_bucket({measure}) AS {measure}" for measure in MEASURES)}
  FROM figures WHERE id IN ({{ids}})
)
INSERT INTO daily_latencies (dimension, measure, day, name, ms, exchanges)
SELECT * FROM ({_COUNTED_BY}) WHERE true
ON CONFLICT DO UPDATE SET exchanges = exchanges + excluded.exchanges"""

_NEXT = """SELECT exchange_id FROM uncounted
WHERE (SELECT outcome FROM exchanges WHERE id = exchange_id) IS NOT NULL
ORDER BY exchange_id LIMIT {limit:d}"""
_COUNTED = """SELECT value FROM json_each(:ids)
WHERE value NOT IN (SELECT exchange_id FROM uncounted)"""
_THESE = "SELECT value FROM json_each(:ids)"


def bucket_of(ms: float | None) -> float | None:
    """The middle of a time's bucket, as SQL has it: of null, null."""
    return None if ms is None else bucket_ms(ms)


def bucket_ms(ms: float) -> float:
    """The middle of the bucket that a time falls into: buckets grow by 5 %.

    >>> bucket_ms(100.0), bucket_ms(101.0), bucket_ms(105.0), bucket_ms(0)
    (100.6, 100.6, 105.6, 0.009945)
    """
    number = ceil(log(max(ms, _LEAST_MS)) / log(_BASE) - 1e-9)
    return float(f"{_BASE ** (number - 0.5):.4g}")


def note(connection: sqlite3.Connection, exchange_ids: Iterable[int | None]) -> None:
    """These are there; a `fold` counts them once they have ended."""
    connection.executemany(
        "INSERT OR IGNORE INTO uncounted (exchange_id) VALUES (?)", [[i] for i in exchange_ids]
    )


def uncounted(connection: sqlite3.Connection) -> int:
    """How many are not in the rollups yet."""
    (number,) = connection.execute("SELECT count(*) FROM uncounted").fetchone()
    return int(number)


def fold(connection: sqlite3.Connection, *, limit: int = 5 * FOLD_AT) -> int:
    """Count so many of those that have ended since; returns how many it were."""
    ids = _NEXT.format(limit=limit)
    _add(connection, "+", ids)
    return connection.execute(f"DELETE FROM uncounted WHERE exchange_id IN ({ids})").rowcount


def take_back(connection: sqlite3.Connection, exchange_ids: Iterable[int]) -> None:
    """Count these no longer: they are about to be deleted, or to become others."""
    asked = json.dumps(list(exchange_ids))
    (counted,) = connection.execute(
        f"SELECT json_group_array(value) FROM ({_COUNTED})", {"ids": asked}
    ).fetchone()
    if counted != "[]":
        _add(connection, "-", _THESE, counted)
        connection.execute("DELETE FROM daily_figures WHERE exchanges = 0")
        connection.execute("DELETE FROM daily_latencies WHERE exchanges = 0")
    connection.execute(f"DELETE FROM uncounted WHERE exchange_id IN ({_THESE})", {"ids": asked})


def rebuild(
    connection: sqlite3.Connection, on_progress: Callable[[int, int], None] = lambda done, of: None
) -> int:
    """Forget all sums and add the exchanges up anew; returns how many there were.

    In steps, so that recorders get their turn. What is not counted yet is read row by
    row meanwhile, so that nobody sees a wrong sum.
    """
    with space.transaction(connection):
        restart(connection)
    total, done = uncounted(connection), 0
    on_progress(0, total)
    while True:
        with space.transaction(connection):
            counted = fold(connection)
        if not counted:
            return done
        done += counted
        on_progress(done, max(done, total))


def restart(connection: sqlite3.Connection) -> None:
    """Empty the rollups: nothing is counted yet."""
    for table in ("daily_figures", "daily_latencies", "uncounted"):
        connection.execute(f"DELETE FROM {table}")
    connection.execute("INSERT INTO uncounted SELECT id FROM exchanges")


def _add(connection: sqlite3.Connection, sign: str, select: str, ids: str = "") -> None:
    for statement in (_ADD_FIGURES, _ADD_LATENCIES):
        connection.execute(statement.format(sign=sign, ids=select), {"ids": ids})
