"""What an exchange cost: what the provider says, else its usage at the day's prices."""

from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from typing import Any

from replayproxy.model import Exchange

# Vendor prefixes of gateway model ids -> provider ids of the price list.
_VENDORS = {
    "anthropic": "anthropic",
    "openai": "openai",
    "google": "google",
    "mistralai": "mistral",
    "mistral": "mistral",
    "x-ai": "x-ai",
    "xai": "x-ai",
    "deepseek": "deepseek",
    "groq": "groq",
    "cohere": "cohere",
}


def load_prices() -> None:
    """Load the price list now: a fifth of a second that the first exchange need not wait for."""
    try:
        from genai_prices import Usage, calc_price
    except ModuleNotFoundError:
        return
    with suppress(LookupError):
        calc_price(Usage(), "gpt-4o")


def priced(exchange: Exchange) -> Exchange:
    """The exchange with its cost, and where that comes from, or why there is none.

    `cost_source` is "reported" (the provider's own figure wins), "genai-prices",
    or, without a cost: "no_usage", "unknown_model", "bad_usage", "no_price_list".
    """
    if exchange.cost_usd is not None:
        return exchange
    cost, source = _computed(exchange)
    return replace(exchange, cost_usd=cost, cost_source=source)


def _computed(exchange: Exchange) -> tuple[Decimal | None, str]:
    usage = exchange.usage
    if usage.input_tokens is None and usage.output_tokens is None:
        return None, "no_usage"
    try:
        from genai_prices import Usage, calc_price
    except ModuleNotFoundError:
        return None, "no_price_list"
    tokens = Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_tokens,
    )
    for model in (exchange.response_model, exchange.request_model):
        if not model:
            continue
        try:
            price = calc_price(
                tokens,
                _bare(model),
                genai_request_timestamp=exchange.started_at,
                **_seller(exchange, model),
            )
        except LookupError:
            continue
        except ValueError:
            return None, "bad_usage"
        return Decimal(price.total_price), "genai-prices"
    return None, "unknown_model"


def _bare(model: str) -> str:
    vendor, slash, rest = model.partition("/")
    return rest if slash and vendor in _VENDORS else model


def _seller(exchange: Exchange, model: str) -> dict[str, Any]:
    """Whose prices count: the vendor named in the model's id, else the upstream's own."""
    vendor, slash, _ = model.partition("/")
    if slash and vendor in _VENDORS:
        return {"provider_id": _VENDORS[vendor]}
    request = exchange.request
    return {"provider_api_url": f"{request.scheme}://{request.host}{request.path}"}
