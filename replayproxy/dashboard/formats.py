"""Values as people read them. Each is also a filter of the templates (see `FILTERS`).

What is unknown is a dash, never a zero.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

UNKNOWN = "–"
_CONTROL_PICTURES = {
    code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\t\n\r"
} | {0x7F: "\u2421"}
_UNSEEN = dict.fromkeys(
    # C1 controls; what ends a line or turns it round unseen; what XML cannot hold
    (
        *range(0x80, 0xA0),
        0x2028,
        0x2029,
        *range(0x202A, 0x202F),
        *range(0x2066, 0x206A),
        *range(0xD800, 0xE000),
        0xFFFE,
        0xFFFF,
    ),
    "\ufffd",
)
_VISIBLE = {**_CONTROL_PICTURES, **_UNSEEN}


def visible(text: str) -> str:
    r"""Text whose control characters can be seen and do nothing.

    >>> visible("\x1b[31mred")
    '␛[31mred'
    """
    return text if text.isprintable() else text.translate(_VISIBLE)


def one_line(text: object, limit: int = 120) -> str:
    r"""The beginning of a text, as one visible line.

    >>> one_line("a\n b", 20), one_line("abcdef", 4), one_line(None)
    ('a b', 'abc…', '–')
    """
    if text is None:
        return UNKNOWN
    line = visible(" ".join(str(text)[: 4 * limit].split()))
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def count(number: float | None) -> str:
    """A whole number with thousands separated.

    >>> count(1234567), count(None)
    ('1,234,567', '–')
    """
    return UNKNOWN if number is None else f"{round(number):,}"


def compact(number: float | None) -> str:
    """A number in three digits or so.

    >>> compact(999), compact(12_345), compact(85_900_000), compact(3.14159), compact(999_999)
    ('999', '12.3k', '85.9M', '3.1', '1.00M')
    """
    if number is None:
        return UNKNOWN
    if abs(number) < 1000:
        return f"{number:.0f}" if number == int(number) or number >= 100 else f"{number:.1f}"
    units = ((1e3, "k"), (1e6, "M"), (1e9, "G"), (1e12, "T"))
    divisor, unit = next((u for u in units if abs(number) < 999.5 * u[0]), units[-1])
    return f"{_three_digits(number / divisor)}{unit}"


def usd(amount: float | None) -> str:
    """Money: cents where they matter, three digits where cents are too coarse.

    >>> usd(0), usd(0.000123456), usd(1.5), usd(1234.5), usd(None)
    ('$0', '$0.000123', '$1.50', '$1,234', '–')
    """
    if amount is None:
        return UNKNOWN
    if amount == 0:
        return "$0"
    if abs(amount) < 0.1:
        digits = f"{amount:.3g}"
        return f"${float(digits):.12f}".rstrip("0") if "e" in digits else f"${digits}"
    return f"${amount:,.2f}" if abs(amount) < 1000 else f"${amount:,.0f}"


def exact_usd(amount: Decimal | float | None) -> str:
    """Money to its last digit.

    >>> exact_usd(Decimal("0.00000375")), exact_usd(-1.5), exact_usd(Decimal("1E+1"))
    ('$0.00000375', '−$1.5', '$10')
    """
    if amount is None:
        return UNKNOWN
    digits = f"{abs(Decimal(str(amount))):f}"
    digits = digits.rstrip("0").rstrip(".") if "." in digits else digits
    return f"{'−' if amount < 0 else ''}${digits}"


def ms(milliseconds: float | None) -> str:
    """A duration.

    >>> ms(0.5), ms(456.2), ms(1234), ms(83_000), ms(None)
    ('0.5 ms', '456 ms', '1.23 s', '1 min 23 s', '–')
    """
    if milliseconds is None:
        return UNKNOWN
    if milliseconds < 9.95:
        return f"{milliseconds:.1f} ms"
    if milliseconds < 999.5:
        return f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1000
    if seconds < 59.95:
        return f"{_three_digits(seconds)} s"
    return f"{round(seconds) // 60} min {round(seconds) % 60} s"


def size(number: float | None) -> str:
    """Bytes.

    >>> size(999), size(12_345), size(None)
    ('999 B', '12.3 kB', '–')
    """
    if number is None:
        return UNKNOWN
    return f"{round(number)} B" if number < 1000 else f"{compact(number)}B".replace("k", " k")


def share(part: float | None, whole: float | None) -> str:
    """A part of a whole, in per cent.

    >>> share(1, 3), share(0, 5), share(1, None), share(0, 0), share(1, 5000)
    ('33.3%', '0%', '–', '–', '<0.1%')
    """
    if part is None or not whole:
        return UNKNOWN
    percent = 100 * part / whole
    if 0 < percent < 0.1:
        return "<0.1%"
    return f"{percent:.1f}".removesuffix(".0") + "%"


def change(now: float | None, before: float | None) -> str:
    """How much a figure has changed, in per cent; "" if that cannot be said.

    >>> change(110, 100), change(1, 3), change(5, 5), change(5, 0), change(None, 5), change(990, 1)
    ('+10%', '-66.7%', 'unchanged', '', '', 'x990')
    """
    if now is None or not before:
        return ""
    if now >= 10 * before:
        return f"x{compact(now / before)}"
    percent = 100 * (now - before) / before
    if abs(percent) < 0.05:
        return "unchanged"
    return f"{percent:+.1f}".removesuffix(".0") + "%"


def moment(timestamp: str | None) -> str:
    """A stored timestamp, to the second.

    >>> moment("2026-01-02T03:04:05.678901Z")
    '2026-01-02 03:04:05'
    """
    return UNKNOWN if not timestamp else timestamp[:19].replace("T", " ")


def ago(timestamp: str, now: datetime | None = None) -> str:
    """How long a stored timestamp lies back.

    >>> ago("2026-01-02T03:04:05.000000Z", datetime(2026, 1, 2, 6, 0, tzinfo=UTC))
    '2 h ago'
    """
    seconds = ((now or datetime.now(UTC)) - datetime.fromisoformat(timestamp)).total_seconds()
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{int(seconds // length)} {unit} ago"
    return "just now"


def _three_digits(number: float) -> str:
    size = abs(number)
    return f"{number:.2f}" if size < 9.995 else f"{number:.1f}" if size < 99.95 else f"{number:.0f}"


FILTERS: dict[str, Callable[..., Any]] = {
    "visible": visible,
    "one_line": one_line,
    "count": count,
    "compact": compact,
    "usd": usd,
    "exact_usd": exact_usd,
    "ms": ms,
    "bytes": size,
    "share": share,
    "change": change,
    "moment": moment,
    "ago": ago,
}
