"""genai-prices: thousands of models, with the dates on which their prices changed.

It raises LookupError for an id such as `vendor/model`, so that the seller is
looked for here: first the host that was asked, if it has prices of its own; then
the vendor in the id; then OpenRouter, which sells nearly everything.
"""

import logging
import re
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from typing import Any

from replayproxy.model import Exchange
from replayproxy.pricing.computed import Computed, Reason
from replayproxy.pricing.rates import Rates

logger = logging.getLogger(__name__)

SOURCE = "genai-prices"

_VENDORS = {
    "gemini": "google",
    "vertex_ai": "google",
    "bedrock": "aws",
    "amazon": "aws",
    "mistralai": "mistral",
    "xai": "x-ai",
    "z-ai": "zai",
    "together_ai": "together",
    "fireworks_ai": "fireworks",
    "moonshot": "moonshotai",
}
"""Vendors in model ids that the price list has by another name."""

_VENDOR = re.compile(r"[\w.-]+")


def load() -> None:
    """Read the list now: a fifth of a second that the first exchange need not wait for."""
    try:
        from genai_prices import Usage, calc_price
    except ModuleNotFoundError:
        return
    with suppress(LookupError):
        calc_price(Usage(), "gpt-4o")


def computed(exchange: Exchange) -> Computed:
    """The usage at the prices of the time when the exchange started."""
    price = _price(exchange)
    return price if isinstance(price, Computed) else _told(price)


def rated(exchange: Exchange) -> tuple[Computed, Rates | None]:
    """What `computed` gives, and the rates behind it, if there is a price.

    What a rate of the list depends on (the length of the input) is decided.
    """
    price = _price(exchange)
    if isinstance(price, Computed):
        return price, None
    return _told(price), _rates(price.model_price, exchange.usage.input_tokens or 0)


def _price(exchange: Exchange) -> Any:
    """genai-prices' calculation, or a `Computed` that says why there is none."""
    try:
        import genai_prices
    except ModuleNotFoundError:
        return Computed(source=Reason.NO_PRICE_LIST)
    tier = exchange.service_tier
    try:
        tokens = _tokens(exchange)
        for seller in _offers(exchange):
            try:
                price = genai_prices.calc_price(
                    tokens,
                    **seller,
                    genai_request_timestamp=exchange.started_at,
                    price_context={"service_tier": tier} if tier else None,
                )
            except LookupError:
                continue
            if _lacks_a_price(exchange, price.model_price) and not _is_free(price.model.id):
                continue
            return price
    except (ValueError, ArithmeticError):
        return Computed(source=Reason.BAD_USAGE)
    except Exception:  # not ours, and no reason to lose a recording
        logger.exception("replayproxy: the price list failed")
        return Computed(source=Reason.PRICE_LIST_FAULT)
    return Computed(source=Reason.UNKNOWN_MODEL)


def _told(price: Any) -> Computed:
    import genai_prices

    return Computed(
        cost_usd=Decimal(price.total_price),
        source=SOURCE,
        version=f"{SOURCE} {genai_prices.__version__}",
        model=f"{price.provider.id}/{price.model.id}",
    )


def _rates(price: Any, input_tokens: int) -> Rates:
    def rate(name: str, per: int = 1) -> Decimal | None:
        found = getattr(price, name, None)
        for tier in reversed(getattr(found, "tiers", ())):
            if input_tokens > tier.start:
                return Decimal(tier.price) / per
        found = getattr(found, "base", found)
        return None if found is None else Decimal(found) / per

    return Rates(
        input=rate("input_mtok") or Decimal(0),
        output=rate("output_mtok") or Decimal(0),
        cache_read=rate("cache_read_mtok"),
        cache_write=rate("cache_write_mtok"),
        cache_write_1h=rate("cache_write_1h_mtok"),
        input_audio=rate("input_audio_mtok"),
        output_audio=rate("output_audio_mtok"),
        web_search=rate("web_searches_kcount", 1000) or Decimal(0),
        request=rate("requests_kcount", 1000) or Decimal(0),
    )


def _tokens(exchange: Exchange) -> Any:
    from genai_prices import Usage

    usage = exchange.usage
    return Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        cache_write_1h_tokens=usage.cache_write_1h_tokens,
        output_reasoning_tokens=usage.reasoning_tokens,
        input_audio_tokens=usage.input_audio_tokens,
        output_audio_tokens=usage.output_audio_tokens,
        cache_audio_read_tokens=usage.cache_read_audio_tokens,
        web_searches=usage.web_searches,
    )


def _lacks_a_price(exchange: Exchange, price: Any) -> bool:
    """Whether tokens were used that the list has no price for: they are not free for that."""
    usage = exchange.usage
    return bool(
        (usage.input_tokens and price.input_mtok is None)
        or (usage.output_tokens and price.output_mtok is None)
    )


def _is_free(model: str) -> bool:
    """OpenRouter's free variants: the list has them, without prices."""
    return model.endswith(":free")


def _offers(exchange: Exchange) -> Iterator[dict[str, str]]:
    """Who may have sold this, and by what name, the likeliest first."""
    request = exchange.request
    for model in (exchange.response_model, exchange.request_model):
        if not model:
            continue
        yield {
            "model_ref": model,
            "provider_api_url": f"https://{request.host}{request.path}",
        }
        if exchange.provider:  # hosts that the list does not know by their address
            yield {"model_ref": model, "provider_id": exchange.provider}
        vendor, slash, rest = model.partition("/")
        if not slash or not rest or not _VENDOR.fullmatch(vendor):
            continue
        if ":" not in rest:  # `:free` and other variants are OpenRouter's
            yield {"model_ref": rest, "provider_id": _VENDORS.get(vendor.lower(), vendor)}
        yield {
            "model_ref": rest if vendor == "openrouter" else model,
            "provider_id": "openrouter",
        }
