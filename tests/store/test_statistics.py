"""Statistics against the same numbers worked out in Python, the views' and the dashboard's."""

import random
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from math import ceil
from pathlib import Path
from typing import Any

import pytest

from replayproxy.dashboard import sql_functions
from replayproxy.dashboard.named_sql import read_queries
from replayproxy.shipped import dashboards_path
from replayproxy.store.sql import as_dict
from replayproxy.store.statistics import DIMENSIONS, Figures, statistics
from tests.store.added import add, add_replay, empty_database

type Row = dict[str, Any]


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with empty_database(tmp_path / "a.db") as opened:
        yield opened


def at_random(connection: sqlite3.Connection, count: int, seed: int) -> list[Row]:
    """Exchanges of every kind, in the database and as rows."""
    dice = random.Random(seed)

    def maybe(value: Any) -> Any:
        return value if dice.random() < 0.8 else None

    found = []
    for _ in range(count):
        running = dice.random() < 0.1
        row = {
            "started_at": f"2026-09-0{dice.randint(1, 4)}T12:00:00.000000Z",
            "cassette": dice.choice(["default", "other"]),
            "provider": maybe("openai"),
            "tag": maybe(dice.choice(["a", "b"])),
            "key_fingerprint": maybe("fp:1"),
            "request_model": maybe(dice.choice(["gpt-4o", "o3", "it's"])),
            "status": dice.choice([200, 200, 429, None]),
            "error": None if dice.random() < 0.9 else "broken",
            "outcome": None if running else "completed",
            "cost_usd": maybe(dice.randint(0, 1000) / 1024),
            "input_tokens": maybe(dice.randint(0, 99)),
            "output_tokens": maybe(dice.randint(0, 99)),
            "cache_read_tokens": maybe(3),
            "time_to_first_content_ms": maybe(dice.randint(1, 500)),
            "duration_ms": None if running else dice.randint(1, 900),
        }
        add(connection, **row)
        found.append(row)
    return found


def summed(values: list[Any]) -> Any:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def by_hand(rows: list[Row]) -> Row:
    """What a group comes to."""

    def percentile(name: str, percent: int) -> Any:
        ended = (row[name] for row in rows if row["outcome"])
        values = sorted(value for value in ended if value is not None)
        return values[ceil(len(values) * percent / 100) - 1] if values else None

    timed = [
        row
        for row in rows
        if row["time_to_first_content_ms"] is not None
        and row["duration_ms"] is not None
        and row["duration_ms"] > row["time_to_first_content_ms"]
        and row["output_tokens"] is not None
    ]
    generation_ms = sum(row["duration_ms"] - row["time_to_first_content_ms"] for row in timed)
    tokens = sum(row["output_tokens"] for row in timed)
    failed = [row for row in rows if row["error"] or (row["status"] or 0) >= 400]
    return {
        "exchanges": len(rows),
        "errors": len(failed),
        "exchanges_without_cost": sum(row["cost_usd"] is None for row in rows),
        "output_tokens_per_second": tokens * 1000 / generation_ms if timed else None,
        **{
            name: summed([row[name] for row in rows])
            for name in ("cost_usd", "input_tokens", "output_tokens", "cache_read_tokens")
        },
        **{
            f"{measure}_p{percent}_ms": percentile(column, percent)
            for measure, column in (
                ("ttft", "time_to_first_content_ms"),
                ("duration", "duration_ms"),
            )
            for percent in (50, 95, 99)
        },
    }


def shown(figures: Figures, like: Row) -> Row:
    return {name: value for name, value in asdict(figures).items() if name in like}


COLUMNS = {"model": "request_model", "key": "key_fingerprint", "day": "started_at"}


@pytest.mark.parametrize("by", DIMENSIONS)
def test_every_figure_is_what_the_rows_come_to(connection: sqlite3.Connection, by: str) -> None:
    rows = at_random(connection, 200, seed=7)
    column = COLUMNS.get(by, by)
    groups: dict[str | None, list[Row]] = {}
    for row in rows:
        name = row[column][:10] if by == "day" else row[column]
        groups.setdefault(name, []).append(row)

    found = statistics(connection, by=by)

    expected = {name: by_hand(members) for name, members in groups.items()}
    assert {group.name: shown(group, by_hand(rows)) for group in found.groups} == expected
    assert shown(found.total, by_hand(rows)) == by_hand(rows)


def test_the_dashboard_shows_the_same_numbers(connection: sqlite3.Connection) -> None:
    at_random(connection, 200, seed=8)
    add_replay(connection, avoided_cost_usd=0.25, replayed_at="2026-09-01T00:00:00.000000Z")
    add_replay(connection, avoided_cost_usd=0.5, replayed_at="2026-09-02T00:00:00.000000Z")
    sql_functions.register(connection)
    queries = read_queries(dashboards_path() / "queries")

    def run(name: str) -> list[Row]:
        sql = queries[name].sql
        given = dict.fromkeys(re.findall(r":(\w+)", sql), "") | {"since": "2026-09-02"}
        cursor = connection.execute(sql, given)
        return [as_dict(cursor, row) for row in cursor.fetchall()]

    found = statistics(connection, by="model", since=datetime(2026, 9, 2, tzinfo=UTC))

    (totals,) = run("totals")
    common = [name for name in asdict(found.total) if name in totals]
    assert len(common) == 9
    assert totals["avoided_cost_usd"] == 0.5
    assert {name: totals[name] for name in common} == shown(found.total, dict.fromkeys(common))
    by_model = {row["model"]: row for row in run("by_model")}
    assert len(by_model) == 4
    for group in found.groups:
        row = by_model[group.name or "no model"]
        common = [name for name in asdict(group) if name in row]
        assert len(common) == 12
        assert {name: row[name] for name in common} == shown(group, dict.fromkeys(common))
    latency = {row["measure"]: row for row in run("latency")}
    for measure, column in (("ttft", "time_to_first_content_ms"), ("duration", "duration_ms")):
        for percent in (50, 95, 99):
            expected = getattr(found.total, f"{measure}_p{percent}_ms")
            assert latency[column][f"p{percent}_ms"] == expected
    assert sum(row["cost_usd"] or 0 for row in run("over_time")) == found.total.cost_usd


@pytest.mark.parametrize("by", ["model", "provider", "tag", "key", "cassette", "day"])
def test_the_views_show_the_same_numbers(connection: sqlite3.Connection, by: str) -> None:
    at_random(connection, 100, seed=9)

    cursor = connection.execute(f"SELECT {DIMENSIONS[by]} AS name, * FROM cost_by_{by}")
    views = {row["name"]: row for row in (as_dict(cursor, found) for found in cursor.fetchall())}

    for group in statistics(connection, by=by).groups:
        row = views[group.name]
        assert row["cost_usd"] == group.cost_usd
        assert row["output_tokens_per_second"] == group.output_tokens_per_second
        assert (row["exchanges"], row["errors"]) == (group.exchanges, group.errors)


def test_replays_cost_nothing_and_what_they_avoided_stands_apart(
    connection: sqlite3.Connection,
) -> None:
    add(connection, cost_usd=0.5, tag="a")
    avoided = {"exchange_id": 1, "avoided_cost_usd": 0.5, "avoided_input_tokens": 9}
    add_replay(connection, **avoided)
    add_replay(connection, **avoided, cassette="other")
    add_replay(connection, **{**avoided, "exchange_id": None}, request_model="gone")
    add_replay(connection, result="miss")

    total = statistics(connection, by="model").total
    assert (total.exchanges, total.cost_usd) == (1, 0.5)
    assert (total.replays, total.avoided_cost_usd, total.avoided_input_tokens) == (3, 1.5, 27)
    by_model = statistics(connection, by="model").groups
    assert [(g.name, g.exchanges, g.replays) for g in by_model] == [
        ("gpt-4o", 1, 2),
        ("gone", 0, 1),
    ]
    by_tag = statistics(connection, by="tag").groups
    assert [(g.name, g.replays) for g in by_tag] == [("a", 2), (None, 1)]
    of_other = statistics(connection, by="cassette", cassette="other").groups
    assert [(g.name, g.exchanges, g.replays) for g in of_other] == [("other", 0, 1)]


def test_a_cost_that_is_not_known_is_not_zero(connection: sqlite3.Connection) -> None:
    add(connection, cost_usd=None)

    total = statistics(connection, by="model").total

    assert (total.cost_usd, total.exchanges_without_cost) == (None, 1)


def test_the_dearest_come_first_and_days_in_their_order(connection: sqlite3.Connection) -> None:
    add(connection, cost_usd=1, started_at="2026-09-02T00:00:00.000000Z", request_model="cheap")
    add(connection, cost_usd=2, started_at="2026-09-03T00:00:00.000000Z", request_model="dear")
    add(connection, cost_usd=None, started_at="2026-09-01T00:00:00.000000Z", request_model="b")

    by_model = [group.name for group in statistics(connection, by="model").groups]
    by_day = [group.name for group in statistics(connection, by="day").groups]

    assert by_model == ["dear", "cheap", "b"]
    assert by_day == ["2026-09-01", "2026-09-02", "2026-09-03"]


def test_an_empty_database_has_figures_too(connection: sqlite3.Connection) -> None:
    found = statistics(connection, by="model")

    assert (found.total, found.groups) == (Figures(), ())
