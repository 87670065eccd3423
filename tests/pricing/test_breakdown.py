"""A cost taken apart: the parts come to what was computed, and no token is in two of them."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replayproxy.model import Exchange, Request, Usage
from replayproxy.pricing import Breakdown, breakdown, priced
from replayproxy.pricing.computed import Reason
from replayproxy.pricing.rates import Rates

RATES = Rates(
    input=Decimal(3),
    output=Decimal(15),
    cache_read=Decimal("0.3"),
    cache_write=Decimal("3.75"),
    cache_write_1h=Decimal(6),
    input_audio=Decimal(40),
    output_audio=Decimal(80),
    web_search=Decimal("0.01"),
    request=Decimal("0.005"),
)

SELLERS = [
    ("gpt-4o", "api.openai.com"),
    ("gpt-4o-audio-preview", "api.openai.com"),
    ("claude-sonnet-4-5", "api.anthropic.com"),
    ("gemini-2.5-pro", "generativelanguage.googleapis.com"),
]


def asked(model: str, host: str = "api.openai.com", **usage: Any) -> Exchange:
    return Exchange(
        started_at=datetime(2026, 1, 2, tzinfo=UTC),
        request=Request(method="POST", scheme="https", host=host, port=443, path="/v1/messages"),
        request_model=model,
        usage=Usage(**usage),
    )


def parts(found: Breakdown | str) -> list[tuple[str, int, str, str]]:
    assert isinstance(found, Breakdown)
    return [(p.kind, p.count, f"{p.rate_usd:f}", f"{p.cost_usd:f}") for p in found.parts]


def test_cached_tokens_are_no_more_of_the_input() -> None:
    found = breakdown(asked("gpt-4o", input_tokens=1000, cache_read_tokens=900, output_tokens=10))

    assert parts(found) == [
        ("input", 100, "2.5", "0.00025"),
        ("cache_read", 900, "1.25", "0.001125"),
        ("output", 10, "10", "0.0001"),
    ]
    assert isinstance(found, Breakdown)
    assert (found.total_usd, found.rest_usd) == (Decimal("0.001475"), Decimal(0))
    assert found.model == "openai/gpt-4o"


def test_a_long_input_is_at_the_rates_of_its_tier() -> None:
    exchange = asked(
        "claude-sonnet-4-5",
        "api.anthropic.com",
        input_tokens=300_000,
        cache_write_tokens=1000,
        cache_write_1h_tokens=200,
        output_tokens=10,
        web_searches=3,
    )

    assert parts(breakdown(exchange)) == [
        ("input", 299_000, "6", "1.794"),
        ("cache_write", 800, "7.5", "0.006"),
        ("cache_write_1h", 200, "12", "0.0024"),
        ("output", 10, "22.5", "0.000225"),
        ("web_search", 3, "0.01", "0.03"),
    ]


@pytest.mark.parametrize(
    ("exchange", "reason"),
    [
        (asked("gpt-4o"), Reason.NO_USAGE),
        (asked("nobody-knows-it", input_tokens=1), Reason.UNKNOWN_MODEL),
        (asked("gpt-4o", input_tokens=1, cache_read_tokens=9), Reason.BAD_USAGE),
    ],
)
def test_without_a_price_there_is_the_reason(exchange: Exchange, reason: Reason) -> None:
    assert breakdown(exchange) == reason
    assert priced(exchange).cost_source == reason


@given(
    st.sampled_from(SELLERS),
    st.integers(0, 500_000),
    st.integers(0, 500_000),
    st.integers(0, 100_000),
)
def test_the_parts_come_to_what_is_computed(
    seller: tuple[str, str], uncached: int, cached: int, output: int
) -> None:
    exchange = asked(
        *seller, input_tokens=uncached + cached, cache_read_tokens=cached, output_tokens=output
    )

    found = breakdown(exchange)

    assert isinstance(found, Breakdown)
    assert found.total_usd == priced(exchange).computed_cost_usd
    assert found.rest_usd == 0


@given(st.lists(st.integers(0, 10_000), min_size=6, max_size=6))
def test_the_parts_of_a_usage_are_all_of_it_once(counts: list[int]) -> None:
    plain, cached, written, written_1h, heard, spoken = counts
    usage = Usage(
        input_tokens=plain + cached + written + written_1h + heard,
        cache_read_tokens=cached,
        cache_write_tokens=written + written_1h,
        cache_write_1h_tokens=written_1h,
        input_audio_tokens=heard,
        output_tokens=spoken + 7,
        output_audio_tokens=spoken,
    )

    found = {part.kind: part.count for part in RATES.parts(usage)}

    assert found == {
        "input": plain,
        "cache_read": cached,
        "cache_write": written,
        "cache_write_1h": written_1h,
        "input_audio": heard,
        "output": 7,
        "output_audio": spoken,
        "web_search": 0,
        "request": 1,
    }
    assert RATES.cost_usd(usage) == sum(part.cost_usd for part in RATES.parts(usage))
