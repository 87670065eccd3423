"""What an exchange cost: what the provider says, and its usage at the prices of its time.

The user's own price file wins over the price list (genai-prices). What cannot be
known is None with the reason, never zero.
"""

from dataclasses import replace

from replayproxy.model import USAGE_COUNTS, Exchange
from replayproxy.pricing import price_list
from replayproxy.pricing.computed import Computed, Reason
from replayproxy.pricing.price_file import PriceFile

__all__ = ["PriceFile", "priced"]


def priced(exchange: Exchange, own: PriceFile | None = None) -> Exchange:
    """The exchange with its cost, and where that comes from, or why there is none.

    `cost_source` is "reported" (the provider's own figure wins), "price-file" or
    "genai-prices"; without a cost it is a `Reason`. What was computed stands beside
    what was reported.
    """
    computed = _computed(exchange, own)
    reported_usd = exchange.reported_cost_usd
    return replace(
        exchange,
        cost_usd=computed.cost_usd if reported_usd is None else reported_usd,
        cost_source=computed.source if reported_usd is None else "reported",
        computed_cost_usd=computed.cost_usd,
        price_version=computed.version,
        price_model=computed.model,
    )


def _computed(exchange: Exchange, own: PriceFile | None) -> Computed:
    usage = exchange.usage
    if any(name in USAGE_COUNTS for name, _ in usage.problems):
        return Computed(source=Reason.BAD_USAGE)
    if usage.input_tokens is None:
        return Computed(source=Reason.NO_USAGE)
    found = own.computed(exchange) if own else None
    return found or price_list.computed(exchange)
