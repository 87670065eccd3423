"""Rates, and what a usage comes to at them."""

from dataclasses import dataclass, fields
from decimal import Decimal

from replayproxy.model import Usage

_MILLION = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """USD for a million tokens; what is not said costs as much as what it is part of.

    Attributes:
        request: USD for each request; `web_search` likewise.
    """

    input: Decimal
    output: Decimal
    cache_read: Decimal | None = None
    cache_write: Decimal | None = None
    cache_write_1h: Decimal | None = None
    input_audio: Decimal | None = None
    output_audio: Decimal | None = None
    web_search: Decimal = Decimal(0)
    request: Decimal = Decimal(0)

    def cost_usd(self, usage: Usage) -> Decimal | None:
        """What the usage costs; None if its parts are more than the whole.

        >>> rates = Rates(input=Decimal(3), output=Decimal(15), cache_read=Decimal("0.3"))
        >>> rates.cost_usd(Usage(input_tokens=1000, cache_read_tokens=900, output_tokens=10))
        Decimal('0.00072')
        """
        cached, written = usage.cache_read_tokens or 0, usage.cache_write_tokens or 0
        written_1h = usage.cache_write_1h_tokens or 0
        heard = (usage.input_audio_tokens or 0) - (usage.cache_read_audio_tokens or 0)
        spoken = usage.output_audio_tokens or 0
        written_rate = _or(self.cache_write, self.input)
        parts = (
            ((usage.input_tokens or 0) - cached - written - heard, self.input),
            (cached, _or(self.cache_read, self.input)),
            (written - written_1h, written_rate),
            (written_1h, _or(self.cache_write_1h, written_rate)),
            (heard, _or(self.input_audio, self.input)),
            ((usage.output_tokens or 0) - spoken, self.output),
            (spoken, _or(self.output_audio, self.output)),
        )
        if any(count < 0 for count, _ in parts):
            return None
        per_token = sum((count * rate for count, rate in parts), Decimal(0)) / _MILLION
        return per_token + (usage.web_searches or 0) * self.web_search + self.request


RATES = tuple(rate.name for rate in fields(Rates))
REQUIRED_RATES = ("input", "output")


def _or(rate: Decimal | None, other: Decimal) -> Decimal:
    return other if rate is None else rate
