"""The numbers people look at, against the same numbers worked out another way."""

import math
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from replayproxy.store.connection import open_for_writing
from replayproxy.store.packing import pack
from replayproxy.store.sql import as_dict, insert
from replayproxy.store.views import VIEWS
from tests.builders import chunks, written
from tests.store.added import add, empty_database

PERCENTILES = (50, 95, 99)


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with empty_database(tmp_path / "a.db") as opened:
        yield opened


def view(connection: sqlite3.Connection, sql: str) -> list[dict[str, Any]]:
    cursor = connection.execute(sql)
    return [as_dict(cursor, row) for row in cursor]


def nearest_rank(values: list[float], percent: int) -> float:
    """The smallest value that at least so many percent of the values do not exceed."""
    return next(
        value
        for value in sorted(values)
        if sum(other <= value for other in values) * 100 >= percent * len(values)
    )


def test_costs_are_summed_by_day_model_and_tag(connection: sqlite3.Connection) -> None:
    add(connection, cost_usd=0.5, input_tokens=10, output_tokens=1, tag="a")
    add(connection, cost_usd=0.25, input_tokens=20, cache_read_tokens=8, tag="b")
    add(connection, cost_usd=None, input_tokens=None, reasoning_tokens=3, tag="a", status=429)
    add(connection, cost_usd=1.0, request_model="o3", error="broken", status=None)
    add(
        connection,
        started_at="2026-09-02T00:00:00.000000Z",
        outcome=None,
        status=None,
        request_model=None,
    )

    day = {
        "exchanges": 4,
        "errors": 2,
        "cost_usd": 1.75,
        "exchanges_without_cost": 1,
        "input_tokens": 30,
        "cache_read_tokens": 8,
        "cache_write_tokens": None,
        "output_tokens": 1,
        "reasoning_tokens": 3,
        "output_tokens_per_second": None,
    }
    nothing_yet = {
        "exchanges": 1,
        "errors": 0,
        "cost_usd": None,
        "exchanges_without_cost": 1,
        "input_tokens": None,
        "cache_read_tokens": None,
        "cache_write_tokens": None,
        "output_tokens": None,
        "reasoning_tokens": None,
        "output_tokens_per_second": None,
    }
    assert view(connection, "SELECT * FROM cost_by_day ORDER BY day") == [
        {"day": "2026-09-01", **day},
        {"day": "2026-09-02", **nothing_yet},
    ]
    by_model = view(connection, "SELECT model, exchanges, cost_usd, errors FROM cost_by_model")
    assert by_model == [
        {"model": None, "exchanges": 1, "cost_usd": None, "errors": 0},
        {"model": "gpt-4o", "exchanges": 3, "cost_usd": 0.75, "errors": 1},
        {"model": "o3", "exchanges": 1, "cost_usd": 1.0, "errors": 1},
    ]
    by_both = "SELECT day, model, exchanges FROM cost_by_day_and_model ORDER BY day, model"
    assert [tuple(row.values()) for row in view(connection, by_both)] == [
        ("2026-09-01", "gpt-4o", 3),
        ("2026-09-01", "o3", 1),
        ("2026-09-02", None, 1),
    ]
    by_tag = view(connection, "SELECT tag, exchanges, cost_usd FROM cost_by_tag")
    assert [tuple(row.values()) for row in by_tag] == [
        (None, 2, 1.0),
        ("a", 2, 0.5),
        ("b", 1, 0.25),
    ]


@pytest.mark.parametrize("count", [1, 2, 3, 19, 20, 21, 99, 100, 101])
def test_percentiles_are_nearest_rank(connection: sqlite3.Connection, count: int) -> None:
    numbers = random.Random(count)
    durations = [round(numbers.uniform(1, 1_000), 3) for _ in range(count)]
    for duration in durations:
        add(connection, duration_ms=duration)

    (row,) = view(connection, "SELECT * FROM latency_by_model")

    assert row == {
        "model": "gpt-4o",
        "measure": "duration_ms",
        "exchanges": count,
        **{f"p{percent}_ms": nearest_rank(durations, percent) for percent in PERCENTILES},
        "max_ms": max(durations),
    }
    assert row["p95_ms"] == sorted(durations)[math.ceil(count * 95 / 100) - 1]


def test_each_measure_counts_the_exchanges_that_have_it(connection: sqlite3.Connection) -> None:
    add(connection, time_to_first_chunk_ms=10, time_to_first_content_ms=20, duration_ms=30)
    add(connection, time_to_first_chunk_ms=11, duration_ms=31)
    add(connection, duration_ms=29, request_model="o3")
    add(connection, time_to_first_chunk_ms=1, outcome=None)
    add(connection, duration_ms=40, started_at="2026-09-02T00:00:00.000000Z", request_model="o3")

    by_model = "SELECT model, measure, exchanges, p50_ms, max_ms FROM latency_by_model"
    assert [tuple(row.values()) for row in view(connection, by_model)] == [
        ("gpt-4o", "duration_ms", 2, 30, 31),
        ("gpt-4o", "time_to_first_chunk_ms", 2, 10, 11),
        ("gpt-4o", "time_to_first_content_ms", 1, 20, 20),
        ("o3", "duration_ms", 2, 29, 40),
    ]
    by_day = "SELECT day, measure, exchanges, p50_ms, max_ms FROM latency_by_day"
    assert [tuple(row.values()) for row in view(connection, by_day)] == [
        ("2026-09-01", "duration_ms", 3, 30, 31),
        ("2026-09-01", "time_to_first_chunk_ms", 2, 10, 11),
        ("2026-09-01", "time_to_first_content_ms", 1, 20, 20),
        ("2026-09-02", "duration_ms", 1, 40, 40),
    ]


def test_the_chunks_of_a_stream_are_rows(tmp_path: Path) -> None:
    arrived = chunks((1_234_567, b"one"), (1_234_567, b"four"), (2_000_000_000, b"x" * 300))
    path = written(tmp_path / "a.db", {"body": arrived}, {"head": None}, {})

    with closing(open_for_writing(path).conn) as connection:
        assert view(connection, "SELECT * FROM chunks ORDER BY exchange_id, seq") == [
            {"exchange_id": 1, "seq": 0, "offset_ns": 1_234_567, "length": 3, "offset_ms": 1.235},
            {"exchange_id": 1, "seq": 1, "offset_ns": 1_234_567, "length": 4, "offset_ms": 1.235},
            {
                "exchange_id": 1,
                "seq": 2,
                "offset_ns": 2 * 10**9,
                "length": 300,
                "offset_ms": 2000.0,
            },
        ]


def test_chunks_of_streams_in_flight_are_not_rows_yet(connection: sqlite3.Connection) -> None:
    columns = {"reason": "OK", "http_version": "HTTP/1.1", "headers": "[]", "headers_offset_ns": 1}
    for table in (None, pack([(5, 3)])):
        exchange_id = add(connection)
        insert(
            connection, "responses", {"exchange_id": exchange_id, "chunk_table": table, **columns}
        )

    assert [row["exchange_id"] for row in view(connection, "SELECT * FROM chunks")] == [2]


@pytest.mark.parametrize("name", VIEWS)
def test_every_view_of_an_empty_database_is_empty(
    connection: sqlite3.Connection, name: str
) -> None:
    assert view(connection, f"SELECT * FROM {name}") == []
