"""What an exchange cost, and who says so."""

import sys
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import genai_prices
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


def test_what_the_provider_reports_wins_and_what_was_computed_stands_beside_it() -> None:
    exchange = priced(
        an_exchange(
            request_model="anthropic/claude-sonnet-4",
            usage=Usage(input_tokens=MILLION, output_tokens=MILLION),
            reported_cost_usd=Decimal("0.5"),
        )
    )

    assert (exchange.cost_usd, exchange.cost_source) == (Decimal("0.5"), "reported")
    assert exchange.computed_cost_usd == SONNET_INPUT + SONNET_OUTPUT
    assert exchange.price_version == f"genai-prices {genai_prices.__version__}"
    assert exchange.price_model == "anthropic/claude-sonnet-4-0"


def test_what_is_reported_wins_also_where_nothing_can_be_computed() -> None:
    exchange = priced(an_exchange(reported_cost_usd=Decimal(0)))

    assert (exchange.cost_usd, exchange.cost_source) == (Decimal(0), "reported")
    assert (exchange.computed_cost_usd, exchange.price_version) == (None, None)


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

    usage = Usage(input_tokens=0, output_tokens=MILLION)
    got = cost("claude-sonnet-4-20250514", usage, request=anthropic)

    assert got == (SONNET_OUTPUT, "genai-prices")


@pytest.mark.parametrize(
    ("host", "model", "price_model"),
    [
        # a seller with prices of its own, whatever vendor stands in the id
        ("api.groq.com", "openai/gpt-oss-120b", "groq/openai/gpt-oss-120b"),
        ("openrouter.ai", "anthropic/claude-sonnet-4", "openrouter/anthropic/claude-sonnet-4"),
        ("api.openai.com", "gpt-4o-2024-08-06", "openai/gpt-4o"),
        ("mine.openai.azure.com", "gpt-4o-2024-08-06", "azure/gpt-4o"),
        ("generativelanguage.googleapis.com", "gemini-2.5-flash", "google/gemini-2.5-flash"),
        ("us-east1-aiplatform.googleapis.com", "gemini-2.5-pro", "google/gemini-2.5-pro"),
        # a gateway: the vendor in the id
        ("api.aigateway.sh", "openai/gpt-4o", "openai/gpt-4o"),
        ("api.aigateway.sh", "google/gemini-2.5-flash", "google/gemini-2.5-flash"),
        ("api.aigateway.sh", "gemini/gemini-2.5-flash", "google/gemini-2.5-flash"),
        ("api.aigateway.sh", "mistralai/mistral-large-latest", "mistral/mistral-large"),
        ("api.aigateway.sh", "x-ai/grok-3", "x-ai/grok-3"),
        ("api.aigateway.sh", "deepseek/deepseek-chat", "deepseek/deepseek-chat"),
        # what no first party sells, or sells by another name: OpenRouter
        (
            "api.aigateway.sh",
            "meta-llama/llama-3.3-70b-instruct",
            "openrouter/meta-llama/llama-3.3-70b-instruct",
        ),
        (
            "api.aigateway.sh",
            "openrouter/meta-llama/llama-3.3-70b-instruct",
            "openrouter/meta-llama/llama-3.3-70b-instruct",
        ),
        (
            "api.aigateway.sh",
            "openai/gpt-oss-20b:free",
            "openrouter/openai/gpt-oss-20b:free",
        ),
        # an id that says nothing, at a host that nobody knows
        ("127.0.0.1", "gpt-4o", None),
        ("127.0.0.1", "mistral-7b", None),
        ("api.aigateway.sh", "https://evil.example/x", None),
        ("api.aigateway.sh", "/", None),
    ],
)
def test_who_sold_it_is_found_by_host_and_model(
    host: str, model: str, price_model: str | None
) -> None:
    exchange = an_exchange(
        request=a_request(host=host),
        request_model=model,
        usage=Usage(input_tokens=10, output_tokens=10),
    )

    assert priced(exchange).price_model == price_model


def test_a_free_model_costs_nothing_because_the_list_says_so() -> None:
    usage = Usage(input_tokens=MILLION, output_tokens=MILLION)

    assert cost("openai/gpt-oss-20b:free", usage) == (Decimal(0), "genai-prices")


def test_tokens_that_have_no_price_are_not_free() -> None:
    by_the_hour = an_exchange(
        request_model="gpt-transcribe", usage=Usage(input_tokens=10, output_tokens=1)
    )

    assert priced(by_the_hour).cost_source == "unknown_model"


def test_it_is_priced_at_the_time_when_it_started() -> None:
    usage = Usage(input_tokens=MILLION, output_tokens=0)
    costs = [
        cost("anthropic/claude-sonnet-4-6", usage, started_at=datetime(2026, 3, day, tzinfo=UTC))[0]
        for day in (12, 13)  # from the 13th on, long prompts cost no more than short ones
    ]

    assert costs == [2 * SONNET_INPUT, SONNET_INPUT]


def test_audio_one_hour_caches_searches_and_tiers_have_prices_of_their_own() -> None:
    openai = a_request(host="api.openai.com")
    spoken = Usage(
        input_tokens=1_000, output_tokens=500, input_audio_tokens=600, output_audio_tokens=400
    )
    cached = Usage(
        input_tokens=MILLION,
        output_tokens=0,
        cache_write_tokens=MILLION,
        cache_write_1h_tokens=400_000,
    )
    searched = Usage(input_tokens=0, output_tokens=0, web_searches=3)
    plain = Usage(input_tokens=MILLION, output_tokens=0)

    # gpt-audio: 2.50 in, 10 out, 32 and 64 for audio
    assert (
        cost("gpt-audio", spoken, request=openai)[0]
        == (400 * Decimal("2.5") + 600 * Decimal(32) + 100 * Decimal(10) + 400 * Decimal(64))
        / MILLION
    )
    assert cost("anthropic/claude-sonnet-4", cached)[0] == Decimal("0.6") * SONNET_CACHE_WRITE + (
        Decimal("0.4") * 2 * SONNET_INPUT
    )
    assert cost("anthropic/claude-sonnet-4", searched)[0] == 3 * Decimal("0.01")
    standard = cost("gpt-5", plain, request=openai)[0]
    autumn = datetime(2026, 11, 1, tzinfo=UTC)
    flex = cost("gpt-5", plain, request=openai, service_tier="flex", started_at=autumn)[0]
    assert standard == Decimal("1.25")
    assert flex == Decimal("0.625")


def test_what_answered_is_priced_and_what_was_asked_only_if_that_is_unknown() -> None:
    usage = Usage(input_tokens=MILLION, output_tokens=0)
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
    assert cost("gpt-4o", Usage(output_tokens=7)) == (None, "no_usage")


def test_usage_that_contradicts_itself_has_no_cost() -> None:
    usage = Usage(input_tokens=1, output_tokens=1, cache_read_tokens=1_000)

    assert cost("anthropic/claude-sonnet-4", usage) == (None, "bad_usage")


def test_usage_with_an_absurd_count_has_no_cost_but_an_absurd_reported_cost_is_no_count() -> None:
    absurd = Usage(input_tokens=10, problems=(("output_tokens", "completion_tokens is -1"),))
    told = Usage(input_tokens=0, problems=(("reported_cost_usd", "cost is -1"),))

    assert cost("gpt-4o", absurd) == (None, "bad_usage")
    assert cost("gpt-4o", told) == (Decimal(0), "genai-prices")


def test_the_largest_counts_there_can_be_are_priced_exactly() -> None:
    usage = Usage(input_tokens=2**53, output_tokens=0)

    assert cost("gpt-4o", usage)[0] == Decimal(2**53) * Decimal("2.5") / MILLION


def test_no_tokens_cost_nothing() -> None:
    assert cost("gpt-4o", Usage(input_tokens=0, output_tokens=0)) == (Decimal(0), "genai-prices")


def test_without_the_price_list_that_is_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "genai_prices", None)

    assert cost("gpt-4o", Usage(input_tokens=1)) == (None, "no_price_list")


def test_a_fault_of_the_price_list_costs_the_price_and_not_the_exchange(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*args: object, **more: object) -> None:
        raise RuntimeError("injected")

    monkeypatch.setattr(genai_prices, "calc_price", broken)

    assert cost("gpt-4o", Usage(input_tokens=1)) == (None, "price_list_fault")
