"""What an exchange cost, and who says so."""

import sys
from decimal import Decimal
from typing import Any

import pytest

from replayproxy.model import Usage
from replayproxy.pricing import priced
from tests.builders import a_request, an_exchange

MILLION = 1_000_000
# As Anthropic publishes them for Claude Sonnet 4, in USD per million tokens.
SONNET_INPUT, SONNET_OUTPUT = Decimal(3), Decimal(15)
SONNET_CACHE_READ, SONNET_CACHE_WRITE = Decimal("0.30"), Decimal("3.75")


def cost(model: str | None, usage: Usage, **given: Any) -> tuple[Decimal | None, str | None]:
    exchange = priced(an_exchange(**{"request_model": model, "usage": usage, **given}))
    return exchange.cost_usd, exchange.cost_source


def test_what_the_provider_reports_wins() -> None:
    exchange = an_exchange(
        request_model="gpt-4o",
        usage=Usage(input_tokens=MILLION, output_tokens=MILLION),
        cost_usd=Decimal("0.5"),
        cost_source="reported",
    )

    assert priced(exchange) is exchange


@pytest.mark.parametrize(
    "model", ["anthropic/claude-sonnet-4", "anthropic/claude-sonnet-4-20250514"]
)
def test_a_gateways_model_id_is_priced_by_its_vendor(model: str) -> None:
    usage = Usage(input_tokens=1_234, output_tokens=567)
    gateway = a_request(host="api.aigateway.sh")

    got = cost(model, usage, request=gateway)

    expected = (1_234 * SONNET_INPUT + 567 * SONNET_OUTPUT) / MILLION
    assert expected == Decimal("0.012207")
    assert got == (expected, "genai-prices")


def test_cached_input_is_priced_as_such() -> None:
    usage = Usage(
        input_tokens=10_000, output_tokens=100, cache_read_tokens=6_000, cache_write_tokens=1_000
    )

    got = cost("anthropic/claude-sonnet-4", usage)

    plain = 10_000 - 6_000 - 1_000
    expected = (
        plain * SONNET_INPUT
        + 6_000 * SONNET_CACHE_READ
        + 1_000 * SONNET_CACHE_WRITE
        + 100 * SONNET_OUTPUT
    ) / MILLION
    assert got == (expected, "genai-prices")


def test_a_model_without_a_vendor_is_priced_by_its_host() -> None:
    anthropic = a_request(host="api.anthropic.com", path="/v1/messages")

    got = cost("claude-sonnet-4-20250514", Usage(output_tokens=MILLION), request=anthropic)

    assert got == (SONNET_OUTPUT, "genai-prices")


def test_what_answered_is_priced_and_what_was_asked_only_if_that_is_unknown() -> None:
    usage = Usage(input_tokens=MILLION)
    asked = "anthropic/claude-sonnet-4"

    assert cost("anthropic/claude-unheard-of", usage, response_model=asked)[0] == SONNET_INPUT
    assert cost(asked, usage, response_model="anthropic/claude-unheard-of")[0] == SONNET_INPUT


@pytest.mark.parametrize("model", [None, "", "nobody/knows-this-model", "knows-this-nobody"])
def test_a_model_nobody_knows_has_no_cost(model: str | None) -> None:
    unknown = a_request(host="localhost")

    assert cost(model, Usage(input_tokens=1), request=unknown) == (None, "unknown_model")


def test_without_usage_there_is_no_cost() -> None:
    assert cost("gpt-4o", Usage()) == (None, "no_usage")
    assert cost("gpt-4o", Usage(reasoning_tokens=7)) == (None, "no_usage")


def test_usage_that_contradicts_itself_has_no_cost() -> None:
    usage = Usage(input_tokens=1, output_tokens=1, cache_read_tokens=1_000)

    assert cost("anthropic/claude-sonnet-4", usage) == (None, "bad_usage")


def test_no_tokens_cost_nothing() -> None:
    assert cost("gpt-4o", Usage(input_tokens=0, output_tokens=0)) == (Decimal(0), "genai-prices")


def test_without_the_price_list_that_is_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "genai_prices", None)

    assert cost("gpt-4o", Usage(input_tokens=1)) == (None, "no_price_list")
