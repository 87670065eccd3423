"""The traps that others fell into, each from the wire to the figure that people look at."""

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import genai_prices
import pytest

from replayproxy.model import Exchange, Headers, Request
from replayproxy.pricing import PriceFile, priced
from replayproxy.store import Replayed, ReplayLog, Store, Writer, reprice
from replayproxy.store.statistics import Figures
from tests.builders import DONE, EVENTS, NOON, a_head, a_request, chunks, record, says

MILLION = 1_000_000
GATEWAY = "api.aigateway.sh"
SONNET = "anthropic/claude-sonnet-4"  # 3 USD in, 0.30 from the cache, 15 out


def ask(model: str = SONNET, host: str = GATEWAY) -> Request:
    return a_request(host=host, body=json.dumps({"model": model}).encode())


def recorded(
    path: Path,
    *usages: dict[str, Any],
    request: Request | None = None,
    headers: Headers = (),
    started_at: datetime = NOON,
    prices: PriceFile | None = None,
) -> tuple[Exchange, Figures]:
    """An exchange whose chunks say these usages: as it is stored, and what `stats` makes of it."""
    events = [says("a", usage=usage) for usage in usages] or [says("a")]
    writer = Writer(path, enrich=partial(priced, own=prices))
    record(
        writer,
        *chunks(*enumerate([*events, DONE])),
        request=request or ask(),
        head=a_head(headers=(*EVENTS, *headers)),
        started_at=started_at,
    )
    writer.close()
    with Store(path) as store:
        return store.exchange(1), store.statistics(by="model").total


def test_cached_tokens_are_counted_once(tmp_path: Path) -> None:
    usage = {
        "prompt_tokens": MILLION,
        "completion_tokens": 0,
        "prompt_tokens_details": {"cached_tokens": 900_000},
    }

    exchange, total = recorded(tmp_path / "a.db", usage)

    assert exchange.cost_usd == Decimal("0.3") + Decimal("0.27")
    assert (total.input_tokens, total.cache_read_tokens) == (MILLION, 900_000)
    assert total.cost_usd == 0.57


def test_usage_is_never_summed_over_chunks(tmp_path: Path) -> None:
    usages = [{"prompt_tokens": 10, "completion_tokens": n} for n in range(1, 51)]

    exchange, total = recorded(tmp_path / "a.db", *usages)

    assert (total.input_tokens, total.output_tokens) == (10, 50)
    assert exchange.cost_usd == (10 * Decimal(3) + 50 * Decimal(15)) / MILLION


def test_reasoning_is_part_of_the_output_and_not_added_to_it(tmp_path: Path) -> None:
    usage = {
        "prompt_tokens": 0,
        "completion_tokens": 1000,
        "completion_tokens_details": {"reasoning_tokens": 900},
    }

    exchange, total = recorded(tmp_path / "a.db", usage)

    assert (total.output_tokens, total.reasoning_tokens) == (1000, 900)
    assert exchange.cost_usd == 1000 * Decimal(15) / MILLION


@pytest.mark.parametrize(
    ("model", "usages", "reason"),
    [
        ("acme/unheard-of", [{"prompt_tokens": 5, "completion_tokens": 5}], "unknown_model"),
        (SONNET, [], "no_usage"),
        (SONNET, [{"prompt_tokens": -5, "completion_tokens": 5}], "bad_usage"),
        (SONNET, [{"prompt_tokens": 5.5, "completion_tokens": 5}], "bad_usage"),
        (SONNET, [{"prompt_tokens": "5", "completion_tokens": 5}], "bad_usage"),
        (SONNET, [{"prompt_tokens": 2**60, "completion_tokens": 5}], "bad_usage"),
    ],
)
def test_a_cost_that_nobody_knows_is_not_zero_and_the_reason_is_named(
    tmp_path: Path, model: str, usages: list[Any], reason: str
) -> None:
    exchange, total = recorded(tmp_path / "a.db", *usages, request=ask(model))

    assert (exchange.cost_usd, exchange.cost_source) == (None, reason)
    assert (total.cost_usd, total.exchanges_without_cost) == (None, 1)
    assert bool(exchange.usage.problems) == (reason == "bad_usage")


@pytest.mark.parametrize(
    ("more", "headers"),
    [({"cost": 0.0005}, ()), ({}, (("X-Cost-Cents", "0.05"),))],
    ids=["in usage", "in a header"],
)
def test_what_a_gateway_bills_wins_and_what_was_computed_stays_beside_it(
    tmp_path: Path, more: dict[str, Any], headers: Headers
) -> None:
    usage = {"prompt_tokens": 1000, "completion_tokens": 100, **more}

    exchange, total = recorded(tmp_path / "a.db", usage, headers=headers)

    assert (exchange.cost_usd, exchange.cost_source) == (Decimal("0.0005"), "reported")
    assert exchange.reported_cost_usd == Decimal("0.0005")
    assert exchange.computed_cost_usd == Decimal("0.0045")
    assert exchange.price_version == f"genai-prices {genai_prices.__version__}"
    assert total.cost_usd == 0.0005


def test_replays_are_no_spend(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    recorded(path, {"prompt_tokens": 1000, "completion_tokens": 100})
    log = ReplayLog(path)
    for _ in range(10):
        log.add(
            Replayed(
                replayed_at=NOON,
                cassette="default",
                session="",
                result="hit",
                method="POST",
                host=GATEWAY,
                path="/",
                exchange_id=1,
            )
        )
    log.close()

    with Store(path) as store:
        total = store.statistics(by="model").total
    assert (total.exchanges, total.cost_usd, total.input_tokens) == (1, 0.0045, 1000)
    assert (total.replays, total.avoided_input_tokens) == (10, 10_000)
    assert total.avoided_cost_usd == pytest.approx(0.045)


def test_history_keeps_the_prices_of_its_time_until_somebody_asks(tmp_path: Path) -> None:
    path, prices = tmp_path / "a.db", tmp_path / "prices.toml"
    old = '[[price]]\nmodel = "acme"\ninput = 2\noutput = 0\n'
    prices.write_text(old)
    usage = {"prompt_tokens": MILLION, "completion_tokens": 0}
    recorded(path, usage, request=ask("acme"), prices=PriceFile.read(prices))

    prices.write_text(f'{old}[[price]]\nmodel = "acme"\nfrom = 2026-10-01\ninput = 9\noutput = 0\n')
    writer = Writer(path, enrich=partial(priced, own=PriceFile.read(prices)))
    writer.close()  # another run, with the new prices
    with Store(path) as store:
        assert store.exchange(1).cost_usd == 2
    reprice(path, partial(priced, own=PriceFile.read(prices)))
    with Store(path) as store:
        assert store.exchange(1).cost_usd == 2, "the new price is not of its time"
    prices.write_text(old.replace("2", "3"))
    reprice(path, partial(priced, own=PriceFile.read(prices)))
    with Store(path) as store:
        repriced = store.exchange(1)
    assert repriced.cost_usd == 3
    assert repriced.price_version == PriceFile.read(prices).version


def test_a_price_that_changed_is_that_of_the_day_of_the_call(tmp_path: Path) -> None:
    usage = {"prompt_tokens": MILLION, "completion_tokens": 0}
    costs = [
        recorded(
            tmp_path / f"{day}.db",
            usage,
            request=ask("anthropic/claude-sonnet-4-6"),
            started_at=datetime(2026, 3, day, tzinfo=UTC),
        )[0].cost_usd
        for day in (12, 13)
    ]

    assert costs == [6, 3]


@pytest.mark.parametrize(
    ("host", "model"),
    [
        (GATEWAY, "anthropic/claude-sonnet-4"),
        (GATEWAY, "meta-llama/llama-3.3-70b-instruct"),
        (GATEWAY, "openai/gpt-oss-20b:free"),
        ("api.openai.com", "gpt-4o"),
    ],
)
def test_bare_and_gateway_ids_find_their_seller(tmp_path: Path, host: str, model: str) -> None:
    usage = {"prompt_tokens": 1000, "completion_tokens": 100}

    exchange, _ = recorded(tmp_path / "a.db", usage, request=ask(model, host))

    assert exchange.cost_source == "genai-prices"
    assert exchange.price_model


def test_the_file_keeps_a_cost_to_the_last_digit(tmp_path: Path) -> None:
    usage = {"prompt_tokens": 123_457, "completion_tokens": 76_543}

    exchange, _ = recorded(tmp_path / "a.db", usage)

    assert exchange.cost_usd == (123_457 * Decimal(3) + 76_543 * Decimal(15)) / MILLION
    with closing(sqlite3.connect(tmp_path / "a.db")) as opened:
        (stored,) = opened.execute("SELECT cost_usd FROM cost_by_model").fetchone()
    assert Decimal(repr(stored)) == exchange.cost_usd
