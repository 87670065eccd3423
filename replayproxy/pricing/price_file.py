"""The user's own prices, in TOML. They win over every price list.

    [[price]]                   # USD for a million tokens
    model = "acme-*"            # or an exact id, as asked for or as answered
    provider = "aigateway"      # may be left out; also a host: "*.internal"
    from = 2026-01-01           # may be left out; `until` is the first day it is over
    input = 3.00
    output = 15.00
    cache_read = 0.30           # may be left out: then it is like any input

Rule: the last price of the file that fits an exchange is the one that counts.
"""

import hashlib
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NoReturn, Self

from replayproxy.errors import UsageError
from replayproxy.model import Exchange
from replayproxy.pricing.computed import Computed, Reason
from replayproxy.pricing.rates import RATES, REQUIRED_RATES, Rates

SOURCE = "price-file"
_TEXTS = ("model", "provider")
_TIMES = ("from", "until")
_KNOWN = (*_TEXTS, *_TIMES, *RATES)


class PriceFileError(UsageError):
    """A price file makes no sense: where, and what."""

    def __init__(self, *, path: Path, line: int, column: int, reason: str) -> None:
        self.path = path
        self.line = line
        self.column = column
        self.reason = reason
        super().__init__(f"{path}:{line}:{column}: {reason}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """One entry. `model` and `provider` are patterns (`*`), in lower case."""

    model: str
    provider: str = "*"
    begins: datetime | None = None
    ends: datetime | None = None
    rates: Rates

    def fits(self, exchange: Exchange) -> bool:
        """Whether this is the price of an exchange of that model, provider and time."""
        sellers = (exchange.provider, exchange.request.host)
        return (
            (self.begins is None or self.begins <= exchange.started_at)
            and (self.ends is None or exchange.started_at < self.ends)
            and self._matches(self.model, exchange.response_model, exchange.request_model)
            and self._matches(self.provider, *sellers)
        )

    @staticmethod
    def _matches(pattern: str, *names: str | None) -> bool:
        return any(name and fnmatchcase(name.lower(), pattern) for name in names)


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceFile:
    """All entries of a file, in its order.

    Attributes:
        version: the file's name and a fingerprint of its content.
    """

    prices: tuple[Price, ...]
    version: str

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read and check a file.

        Raises:
            PriceFileError: with the line and column of what is wrong.
            UsageError: it cannot be read.
        """
        try:
            data = path.read_bytes()
            text = data.decode()
        except (OSError, UnicodeError) as error:
            raise UsageError(f"the price file {path} cannot be read: {error}") from error
        fingerprint = hashlib.sha256(data).hexdigest()[:12]
        return cls(prices=_Reader(path, text).prices(), version=f"{path.name} {fingerprint}")

    def computed(self, exchange: Exchange) -> Computed | None:
        """The exchange's usage at its price here; None if there is none."""
        price = next((p for p in reversed(self.prices) if p.fits(exchange)), None)
        if price is None:
            return None
        cost_usd = price.rates.cost_usd(exchange.usage)
        return Computed(
            cost_usd=cost_usd,
            source=Reason.BAD_USAGE if cost_usd is None else SOURCE,
            version=self.version,
            model=f"{price.provider}/{price.model}",
        )


@dataclass(slots=True)
class _Reader:
    """Reads one file's text; tomllib says where only what is no TOML, the rest is found here."""

    path: Path
    text: str
    at: int = field(default=0, init=False)
    """Which entry is being read."""

    def prices(self) -> tuple[Price, ...]:
        try:
            document = tomllib.loads(self.text, parse_float=Decimal)
        except tomllib.TOMLDecodeError as error:
            self._fail_at(*_place(error, self.text), f"this is not TOML: {_without_place(error)}")
        for name in document:
            if name != "price":
                self._fail_at_top(name, f"{name} is not known; every price is a table [[price]]")
        entries = document.get("price", [])
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            self._fail_at_top("price", "every price is a table of its own: [[price]]")
        found = []
        for self.at, entry in enumerate(entries):
            found.append(self._price(entry))
        return tuple(found)

    def _price(self, entry: Mapping[str, Any]) -> Price:
        for name in entry:
            if name not in _KNOWN:
                self._fail(name, f"{name} is not known; there are: {', '.join(_KNOWN)}")
        for name in ("model", *REQUIRED_RATES):
            if name not in entry:
                self._fail(None, f"this price has no {name}")
        for name in _TEXTS:
            if name in entry and (not isinstance(entry[name], str) or not entry[name]):
                self._fail(name, f'{name} must be a text, such as {name} = "acme-*"')
        times = {name: self._moment(name, entry[name]) for name in _TIMES if name in entry}
        price = Price(
            model=entry["model"].lower(),
            provider=entry.get("provider", "*").lower(),
            rates=Rates(**{name: self._rate(name, entry[name]) for name in RATES if name in entry}),
            begins=times.get("from"),
            ends=times.get("until"),
        )
        if price.begins and price.ends and price.begins >= price.ends:
            self._fail("until", "until must be later than from")
        return price

    def _rate(self, name: str, value: object) -> Decimal:
        is_number = isinstance(value, int | Decimal) and not isinstance(value, bool)
        rate = Decimal(value) if is_number else Decimal("NaN")  # type: ignore[arg-type]
        if not rate.is_finite() or rate < 0:
            self._fail(name, f"{name} must be a number of USD that is not negative, such as 0.30")
        return rate

    def _moment(self, name: str, value: object) -> datetime:
        """A date is its first moment in UTC; so is a time that does not say its zone."""
        if isinstance(value, datetime):
            return value if value.tzinfo else value.replace(tzinfo=UTC)
        if not isinstance(value, date):
            self._fail(name, f"{name} must be a date, without quotes: {name} = 2026-01-31")
        return datetime.combine(value, time(), tzinfo=UTC)

    def _fail(self, name: str | None, reason: str) -> NoReturn:
        """Fail at a key of the entry that is being read; None: where the entry begins."""

        def is_there(document: Mapping[str, Any]) -> bool:
            entries = document.get("price")
            if not isinstance(entries, list) or len(entries) <= self.at:
                return False
            return name is None or name in entries[self.at]

        self._fail_at(*self._find(name, is_there), reason)

    def _fail_at_top(self, name: str, reason: str) -> NoReturn:
        self._fail_at(*self._find(name, lambda document: name in document), reason)

    def _fail_at(self, line: int, column: int, reason: str) -> NoReturn:
        raise PriceFileError(path=self.path, line=line, column=column, reason=reason)

    def _find(
        self, name: str | None, is_there: Callable[[Mapping[str, Any]], bool]
    ) -> tuple[int, int]:
        """The first line after which the file says it, however it is written."""
        lines = self.text.split("\n")
        for number, line in enumerate(lines, 1):
            try:
                so_far = tomllib.loads("\n".join(lines[:number]))
            except tomllib.TOMLDecodeError:
                continue  # in the midst of a value of several lines
            if is_there(so_far):
                found = re.search(rf"\b{re.escape(name)}\b", line) if name else None
                return number, (found.start() if found else 0) + 1
        return 1, 1


_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


def _place(error: tomllib.TOMLDecodeError, text: str) -> tuple[int, int]:
    found = _PLACE.search(str(error))
    if found and found[1]:
        return int(found[1]), int(found[2])
    lines = text.split("\n")
    return len(lines), len(lines[-1]) + 1


def _without_place(error: tomllib.TOMLDecodeError) -> str:
    return _PLACE.sub("", str(error))
