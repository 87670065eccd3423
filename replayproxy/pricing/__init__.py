"""What an exchange cost: what the provider says, and its usage at the prices of its time.

The user's own price file wins over the price list (genai-prices). What cannot be
known is None with the reason, never zero.
"""

from dataclasses import dataclass, replace
from decimal import Decimal

from replayproxy.model import USAGE_COUNTS, Exchange
from replayproxy.pricing import price_list
from replayproxy.pricing.computed import Computed, Reason
from replayproxy.pricing.price_file import PriceFile
from replayproxy.pricing.rates import Part

__all__ = ["Breakdown", "Part", "PriceFile", "breakdown", "priced"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Breakdown:
    """How a cost comes about at the price list's rates.

    Attributes:
        parts: those that were used.
        rest_usd: what the list has counted besides (rates that are not among ours).
        version, model: of the list that is installed, and whose price it is there.
    """

    parts: tuple[Part, ...]
    rest_usd: Decimal
    total_usd: Decimal
    version: str | None
    model: str | None


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
    if reason := _no_usage(exchange):
        return Computed(source=reason)
    found = own.computed(exchange) if own else None
    return found or price_list.computed(exchange)


def _no_usage(exchange: Exchange) -> Reason | None:
    if any(name in USAGE_COUNTS for name, _ in exchange.usage.problems):
        return Reason.BAD_USAGE
    return Reason.NO_USAGE if exchange.usage.input_tokens is None else None


def breakdown(exchange: Exchange) -> Breakdown | str:
    """The exchange's usage at the rates of the list that is installed, kind by kind.

    Or the `Reason` why there is none. The list may be another than the one that
    computed the exchange's cost: compare `version`, and `total_usd` with that cost.
    """
    if reason := _no_usage(exchange):
        return reason
    told, rates = price_list.rated(exchange)
    if rates is None:
        return told.source
    used = (part for part in rates.parts(exchange.usage) if part.count)
    parts = tuple(part for part in used if part.kind != "request" or part.rate_usd)
    total_usd = told.cost_usd or Decimal(0)
    return Breakdown(
        parts=parts,
        rest_usd=total_usd - sum((part.cost_usd for part in parts), Decimal(0)),
        total_usd=total_usd,
        version=told.version,
        model=told.model,
    )
