"""Rates, and what a usage comes to at them."""

from dataclasses import dataclass, fields
from decimal import Decimal

from replayproxy.model import Usage

_MILLION = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one kind of use comes to: `count` of them at `rate_usd` for each `per`.

    Attributes:
        kind: `input`, `cache_read`, `output`, ...: a field of `Rates`.
    """

    kind: str
    count: int
    rate_usd: Decimal
    per: int = _MILLION

    @property
    def cost_usd(self) -> Decimal:
        """Exactly."""
        return self.count * self.rate_usd / self.per


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
        parts = self.parts(usage)
        if any(part.count < 0 for part in parts):
            return None
        # one division, so that nothing is rounded on the way
        per_token = sum((p.count * p.rate_usd for p in parts if p.per == _MILLION), Decimal(0))
        rest = sum((part.cost_usd for part in parts if part.per == 1), Decimal(0))
        return per_token / _MILLION + rest

    def parts(self, usage: Usage) -> tuple[Part, ...]:
        """What the usage consists of, no token twice: a cached one is no more of `input`."""
        cached, written = usage.cache_read_tokens or 0, usage.cache_write_tokens or 0
        written_1h = usage.cache_write_1h_tokens or 0
        heard = (usage.input_audio_tokens or 0) - (usage.cache_read_audio_tokens or 0)
        spoken = usage.output_audio_tokens or 0
        written_rate = _or(self.cache_write, self.input)
        parts = (
            ("input", (usage.input_tokens or 0) - cached - written - heard, self.input),
            ("cache_read", cached, _or(self.cache_read, self.input)),
            ("cache_write", written - written_1h, written_rate),
            ("cache_write_1h", written_1h, _or(self.cache_write_1h, written_rate)),
            ("input_audio", heard, _or(self.input_audio, self.input)),
            ("output", (usage.output_tokens or 0) - spoken, self.output),
            ("output_audio", spoken, _or(self.output_audio, self.output)),
        )
        searches = usage.web_searches or 0
        return (
            *(Part(kind=kind, count=count, rate_usd=rate) for kind, count, rate in parts),
            Part(kind="web_search", count=searches, rate_usd=self.web_search, per=1),
            Part(kind="request", count=1, rate_usd=self.request, per=1),
        )


RATES = tuple(rate.name for rate in fields(Rates))
REQUIRED_RATES = ("input", "output")


def _or(rate: Decimal | None, other: Decimal) -> Decimal:
    return other if rate is None else rate
