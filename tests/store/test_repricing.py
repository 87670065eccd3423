"""History is repriced on request only, and what changed is told."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from replayproxy.errors import DatabaseError
from replayproxy.model import Exchange
from replayproxy.store import Replayed, ReplayLog, Store, Writer, reprice
from replayproxy.store.repricing import Change
from tests.builders import DONE, NOON, asking, chunks, record, says

USAGE = b'data: {"usage":{"prompt_tokens":9,"completion_tokens":2}}\n\n'
BODY = chunks((1, says("hi") + USAGE + DONE))


def at(cost: str | None) -> Callable[[Exchange], Exchange]:
    def price(exchange: Exchange) -> Exchange:
        known = Decimal(cost) if cost else None
        return replace(
            exchange,
            cost_usd=known,
            cost_source="price-file" if cost else "unknown_model",
            computed_cost_usd=known,
            price_version="v2" if cost else None,
        )

    return price


def recorded(path: Path, *, first_cost: str | None = "0.5") -> Path:
    """Two exchanges of gpt-4o, a day apart, and one of o3 in another cassette."""
    writer = Writer(path, enrich=at(first_cost))
    record(writer, *BODY, request=asking("one"))
    record(writer, *BODY, request=asking("two"), started_at=NOON + timedelta(days=1))
    record(writer, *BODY, request=asking("three", model="o3"), cassette="other")
    writer.close()
    return path


def costs(path: Path) -> list[Decimal | None]:
    with Store(path) as store:
        return [store.exchange(exchange_id).cost_usd for exchange_id in (1, 2, 3)]


def test_every_exchange_is_priced_anew_and_the_changes_are_told_by_model(tmp_path: Path) -> None:
    path = recorded(tmp_path / "a.db")

    repriced = reprice(path, at("0.1"))

    assert costs(path) == [Decimal("0.1")] * 3
    assert (repriced.exchanges, repriced.changed, repriced.unknown) == (3, 3, {})
    assert repriced.changes == (
        Change(model="gpt-4o", exchanges=2, before_usd=Decimal("1.0"), after_usd=Decimal("0.2")),
        Change(model="o3", exchanges=1, before_usd=Decimal("0.5"), after_usd=Decimal("0.1")),
    )
    with Store(path) as store:
        assert store.exchange(1).price_version == "v2"


def test_a_dry_run_tells_the_same_and_changes_nothing(tmp_path: Path) -> None:
    path = recorded(tmp_path / "a.db")
    before = path.read_bytes()

    dry = reprice(path, at("0.1"), dry_run=True)

    assert path.read_bytes() == before
    assert dry == reprice(path, at("0.1"))


def test_only_what_is_asked_for_is_repriced(tmp_path: Path) -> None:
    path = recorded(tmp_path / "a.db")

    reprice(path, at("0.1"), since=NOON + timedelta(hours=1))
    assert costs(path) == [Decimal("0.5"), Decimal("0.1"), Decimal("0.5")]

    reprice(path, at("0.2"), cassette="other")
    assert costs(path) == [Decimal("0.5"), Decimal("0.1"), Decimal("0.2")]


def test_what_has_no_cost_is_told_with_its_reason(tmp_path: Path) -> None:
    path = recorded(tmp_path / "a.db", first_cost=None)

    repriced = reprice(path, at(None))

    assert (repriced.changed, repriced.unknown) == (0, {"unknown_model": 3})


def test_repricing_twice_changes_nothing_the_second_time(tmp_path: Path) -> None:
    path = recorded(tmp_path / "a.db")
    long = "0.123456789012345678901"

    assert reprice(path, at(long)).changed == 3
    assert reprice(path, at(long)).changed == 0


def test_what_a_replay_avoided_is_repriced_with_what_it_played(tmp_path: Path) -> None:
    path = recorded(tmp_path / "a.db")
    log = ReplayLog(path)
    log.add(
        Replayed(
            replayed_at=NOON,
            cassette="default",
            session="",
            result="hit",
            method="POST",
            host="",
            path="/",
            exchange_id=1,
        )
    )
    log.close()

    reprice(path, at("0.1"))

    with closing(sqlite3.connect(path)) as opened:
        assert opened.execute("SELECT avoided_cost_usd FROM replays").fetchall() == [(0.1,)]


def test_what_is_still_running_is_left_alone(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "a.db")
    tape = record(writer, *BODY, request=asking(), ending=None)

    assert reprice(tmp_path / "a.db", at("0.1")).exchanges == 0
    assert not tape.ended
    writer.close()


def test_without_a_database_nothing_is_made(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="does not exist"):
        reprice(tmp_path / "none.db", at("1"))

    assert list(tmp_path.iterdir()) == []
