"""What an exchange cost, and how that was computed, for people."""

from dataclasses import dataclass
from math import isclose

from replayproxy.model import Exchange
from replayproxy.pricing import Breakdown, breakdown
from replayproxy.pricing.computed import Reason
from replayproxy.pricing.price_list import SOURCE as LIST

KINDS = {
    "input": "input",
    "cache_read": "input, from the cache",
    "cache_write": "input, written to the cache",
    "cache_write_1h": "input, cached for an hour",
    "input_audio": "input, audio",
    "output": "output",
    "output_audio": "output, audio",
    "web_search": "web searches",
    "request": "request",
}
"""What the parts of a `Breakdown` are called."""

_REASONS = {
    Reason.NO_USAGE: "The provider did not say how many tokens went in.",
    Reason.BAD_USAGE: "The usage that the provider told makes no sense, or contradicts itself.",
    Reason.UNKNOWN_MODEL: "No price list knows this model, or what it was used for.",
    Reason.PRICE_LIST_FAULT: "The price list itself failed; the log says why.",
    Reason.NO_PRICE_LIST: "There is no price list here; the extra `proxy` brings one.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CostView:
    """A cost and how it comes about.

    Attributes:
        breakdown: at the installed list's rates; None if there are none, or if the cost
            was computed with a price file, whose rates are not in the database.
        reason: why nothing can be computed, in words.
        other_version: the list that computed it, if that is not the one installed.
        agrees: whether the breakdown comes to the cost that was computed when recorded.
    """

    breakdown: Breakdown | None = None
    reason: str | None = None
    other_version: str | None = None
    agrees: bool = True


def cost_view(exchange: Exchange) -> CostView:
    """The view of one exchange."""
    version = exchange.price_version
    if exchange.outcome is None or (version and not version.startswith(f"{LIST} ")):
        return CostView()
    found = breakdown(exchange)
    if not isinstance(found, Breakdown):
        return CostView(reason=_REASONS.get(Reason(found)))
    computed = exchange.computed_cost_usd
    return CostView(
        breakdown=found,
        other_version=None if version == found.version else version,
        # the database keeps it as a float
        agrees=computed is None or isclose(computed, found.total_usd, rel_tol=1e-9),
    )
