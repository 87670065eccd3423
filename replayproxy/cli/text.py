"""Text for people: words on stderr, remote text without terminal escapes, figures."""

import json
from typing import Any

import click


def say(text: str) -> None:
    """Words go to stderr; stdout is for data."""
    click.echo(printable(text), err=True)


def printable(text: str) -> str:
    r"""The text with control characters escaped, but for line breaks and tabs.

    >>> printable("a\x1b[31mb")
    'a\\x1b[31mb'
    """
    return "".join(
        c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text
    )


def one_line(text: str) -> str:
    r"""The same, on one line.

    >>> one_line("a\nb")
    'a\\nb'
    """
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")


def json_line(value: Any) -> str:
    """One line of JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def dollars(cost: float | None) -> str:
    """A cost; small ones keep two significant digits.

    >>> dollars(None), dollars(0), dollars(1.234), dollars(0.000207)
    ('-', '$0', '$1.23', '$0.00021')
    """
    if cost is None:
        return "-"
    if cost == 0:
        return "$0"
    if cost >= 0.01:
        return f"${cost:.2f}"
    return f"${cost:.{_leading_zeros(cost) + 2}f}"


def _leading_zeros(cost: float) -> int:
    digits = f"{cost:.10f}".partition(".")[2]
    return len(digits) - len(digits.lstrip("0"))


def milliseconds(ms: float | None) -> str:
    """A duration.

    >>> milliseconds(None), milliseconds(12.34), milliseconds(2345.6)
    ('-', '12 ms', '2.35 s')
    """
    if ms is None:
        return "-"
    return f"{ms / 1000:.2f} s" if ms >= 1000 else f"{ms:.0f} ms"


def count(number: int | None) -> str:
    """A number with thousands separated.

    >>> count(None), count(12345)
    ('-', '12,345')
    """
    return "-" if number is None else f"{number:,}"


def byte_count(size: int) -> str:
    """A number of bytes, in powers of 1000.

    >>> byte_count(0), byte_count(999), byte_count(12_345_678), byte_count(2_000_000_000)
    ('0 bytes', '999 bytes', '12.3 MB', '2.0 GB')
    """
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return plural(size, "byte")


def plural(number: int, noun: str, nouns: str | None = None) -> str:
    """A number and its noun.

    >>> plural(1, "exchange"), plural(2, "exchange"), plural(0, "miss", "misses")
    ('1 exchange', '2 exchanges', '0 misses')
    """
    return f"{number:,} {noun if number == 1 else nouns or noun + 's'}"
