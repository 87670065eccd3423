"""Sums by day are those of the exchanges, whatever was recorded, deleted and repriced."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from replayproxy.cli import main
from replayproxy.model import Ending, Exchange
from replayproxy.store import Rules, Writer, delete, prune, reprice, rollups
from replayproxy.store.connection import open_for_reading, open_for_writing
from tests.builders import NOON, asking, chunks, eventually, record, says, written

MS = 1_000_000
SUMS = (
    "exchanges, errors, exchanges_without_cost, stalled, cost_usd, input_tokens, output_tokens, "
    "cache_read_tokens, generated_tokens, generation_ms"
)


def sums(path: Path, grain: str) -> list[tuple[Any, ...]]:
    """What the view says, group by group; floats to twelve digits, since sums have an order."""
    with closing(open_for_reading(path).conn) as connection:
        columns = ", ".join(f"sum({name})" for name in SUMS.split(", "))
        groups = f"substr(started_at, 1, 10), {', '.join(rollups.DIMENSIONS)}"
        found = connection.execute(
            f"SELECT {groups}, {columns} FROM sums WHERE grain = ? GROUP BY 1, 2, 3, 4, 5, 6",
            [grain],
        ).fetchall()
    return [tuple(rounded(value) for value in row) for row in found]


def rounded(value: Any) -> Any:
    return float(f"{value:.9g}") if isinstance(value, float) else value


def histogram(path: Path, grain: str, dimension: str, ms: str) -> list[tuple[Any, ...]]:
    with closing(open_for_reading(path).conn) as connection:
        return connection.execute(
            f"""SELECT substr(started_at, 1, 10), measure, {dimension}, {ms}, sum(exchanges)
            FROM latencies WHERE grain = ? GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4""",
            [grain],
        ).fetchall()


def is_counted_right(path: Path) -> bool:
    return sums(path, "days") == sums(path, "exchanges") and all(
        histogram(path, f"days by {dimension}", dimension, "replayproxy_bucket(ms)")
        == histogram(path, "exchanges", dimension, "replayproxy_bucket(ms)")
        for dimension in rollups.DIMENSIONS
    )


def fold(path: Path) -> None:
    with closing(open_for_writing(path).conn) as connection, connection:
        rollups.fold(connection)


def costing(usd: str | None) -> Callable[[Exchange], Exchange]:
    return lambda exchange: replace(exchange, cost_usd=None if usd is None else Decimal(usd))


@st.composite
def recorded(draw: st.DrawFn) -> dict[str, Any]:
    tag = draw(st.sampled_from([(), (("x-aig-tag", "prod"),), (("x-aig-tag", "dev"),)]))
    first = draw(st.integers(1, 900)) * MS
    later = first + draw(st.integers(0, 900)) * MS
    usage = draw(st.sampled_from(["", "{}", '{"prompt_tokens":9,"completion_tokens":2}']))
    said = f'data: {{"usage":{usage}}}\n\n'.encode() if usage else b""
    return {
        "body": chunks((first, says("Hel")), (later, says("lo") + said)),
        "request": asking("hi", model=draw(st.sampled_from(["a", "b", ""])), headers=tag),
        "cassette": draw(st.sampled_from(["default", "other"])),
        "ending": draw(st.sampled_from([Ending.FINISHED, Ending.UPSTREAM_CLOSED])),
        "started_at": NOON + draw(st.integers(0, 3)) * timedelta(hours=13),
    }


def step(path: Path, data: st.DataObject) -> None:
    """One thing that happens to a database."""
    draw = data.draw
    match draw(st.sampled_from(["record", "fold", "delete", "prune", "reprice", "killed"])):
        case "record":
            cost = draw(st.sampled_from([None, "0.1", "0.0000003"]))
            written(path, *draw(st.lists(recorded(), max_size=4)), enrich=costing(cost))
        case "fold":
            fold(path)
        case "delete":
            with closing(sqlite3.connect(path)) as opened:
                ids = [row[0] for row in opened.execute("SELECT id FROM exchanges")]
            delete(path, draw(st.lists(st.sampled_from(ids), unique=True)) if ids else [])
        case "prune":
            prune(path, Rules(keep=draw(st.integers(0, 6))))
        case "reprice":
            reprice(path, costing(draw(st.sampled_from([None, "0.7"]))))
        case "killed":
            leave_one_open(path)


def leave_one_open(path: Path) -> None:
    """As a killed run does: in flight, and the next run finds it."""
    written(path, {"request": asking("killed")})
    with closing(sqlite3.connect(path)) as opened, opened:
        (last,) = opened.execute("SELECT max(id) FROM exchanges").fetchone()
        opened.execute("UPDATE exchanges SET outcome = NULL WHERE id = ?", [last])
        opened.execute("INSERT OR IGNORE INTO uncounted VALUES (?)", [last])


@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_whatever_happens_the_sums_are_those_of_the_rows(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = written(tmp_path_factory.mktemp("any") / "any.db", data.draw(recorded()))

    for _ in range(data.draw(st.integers(1, 6))):
        step(path, data)
        assert is_counted_right(path)

    before = sums(path, "days")
    with closing(open_for_writing(path).conn) as connection:
        rollups.rebuild(connection)
    assert sums(path, "days") == before
    assert is_counted_right(path)


def test_many_are_counted_at_once_while_recording(tmp_path: Path) -> None:
    path = tmp_path / "many.db"
    writer = Writer(path)
    for number in range(rollups.FOLD_AT + 5):
        record(writer, request=asking(str(number)))
    with closing(open_for_reading(path).conn) as connection:
        counted = "SELECT coalesce(sum(exchanges), 0) FROM daily_figures"
        eventually(lambda: connection.execute(counted).fetchone()[0] >= rollups.FOLD_AT)
    writer.close()

    assert is_counted_right(path)
    with closing(open_for_reading(path).conn) as connection:
        assert rollups.uncounted(connection) < rollups.FOLD_AT


def test_one_in_flight_is_an_exchange_too(tmp_path: Path) -> None:
    path = tmp_path / "open.db"
    writer = Writer(path)
    tape = record(writer, *chunks((5, says("Hel"))), ending=None)
    with closing(open_for_reading(path).conn) as connection:
        eventually(lambda: connection.execute("SELECT id FROM exchanges").fetchone())
    assert is_counted_right(path)
    assert sums(path, "days")[0][6] == 1
    tape.end(Ending.FINISHED, 9)
    writer.close()

    assert is_counted_right(path)


def test_nothing_said_stays_apart_from_nothing_spent(tmp_path: Path) -> None:
    path = written(tmp_path / "free.db", {}, enrich=costing("0"))
    written(path, {}, enrich=costing(None))
    fold(path)
    assert sums(path, "days")[0][10] == 0

    delete(path, [1])

    assert sums(path, "days")[0][10] is None


def test_a_bucket_is_never_further_than_its_half() -> None:
    for tenths in range(1, 200_000, 7):
        ms = tenths / 10
        assert abs(rollups.bucket_ms(ms) / ms - 1) < 0.026
        assert rollups.bucket_ms(rollups.bucket_ms(ms)) == rollups.bucket_ms(ms)


def test_a_rebuild_tells_how_far_it_is(tmp_path: Path) -> None:
    path = written(tmp_path / "some.db", {}, {}, {})
    told: list[tuple[int, int]] = []

    with closing(open_for_writing(path).conn) as connection:
        counted = rollups.rebuild(connection, lambda done, of: told.append((done, of)))

    assert counted == 3
    assert told == [(0, 3), (3, 3)]


def test_a_rebuild_learns_the_stalls_of_what_was_recorded_before(tmp_path: Path) -> None:
    body = chunks(*((at * MS, b"x") for at in (5, 25, 45, 65, 1_065)))
    path = written(tmp_path / "old.db", {"body": body}, {"body": body[:1]})
    rhythm = "SELECT longest_gap_ms, stalls FROM exchanges ORDER BY id"
    with closing(sqlite3.connect(path)) as opened, opened:
        assert opened.execute(rhythm).fetchall() == [(1000.0, 1), (None, None)]
        opened.execute("UPDATE exchanges SET longest_gap_ms = NULL, stalls = NULL")

    done = CliRunner().invoke(main, ["rebuild", "--db", str(path), "--json"])

    assert (done.stdout, done.stderr) == ('{"exchanges":2}\n', "added up 2 exchanges\n")
    with closing(sqlite3.connect(path)) as opened:
        assert opened.execute(rhythm).fetchall() == [(1000.0, 1), (None, None)]
    assert is_counted_right(path)
    assert sums(path, "days")[0][9] == 1


def test_a_fault_of_the_sums_costs_no_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollups, "FOLD_AT", 1)
    path = tmp_path / "a.db"
    with closing(open_for_writing(path).conn) as connection:
        connection.execute("DROP TABLE daily_figures")

    writer = Writer(path)
    record(writer, request=asking("one"))
    writer.close()

    assert (writer.recorded, writer.not_recorded) == (1, 0)
