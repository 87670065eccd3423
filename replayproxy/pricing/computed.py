"""What pricing comes to: a cost and whose price it was, or why there is none."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class Computed:
    """A cost that was computed, or why it could not be.

    Attributes:
        cost_usd: None if it is not known.
        source: "price-file" or "genai-prices"; without a cost a `Reason`.
        version: of that, so that the figure can be traced to its rates.
        model: whose price it was: `provider/model`, as the source has them.
    """

    source: str
    cost_usd: Decimal | None = None
    version: str | None = None
    model: str | None = None


class Reason(StrEnum):
    """Why there is no cost."""

    NO_USAGE = "no_usage"
    """The provider did not say how many tokens went in."""
    BAD_USAGE = "bad_usage"
    """What it said makes no sense, or contradicts itself."""
    UNKNOWN_MODEL = "unknown_model"
    """No price list knows the model, or what it was used for has no price there."""
    PRICE_LIST_FAULT = "price_list_fault"
    """The price list itself failed."""
    NO_PRICE_LIST = "no_price_list"
    """genai-prices is not installed (the `proxy` extra brings it)."""
