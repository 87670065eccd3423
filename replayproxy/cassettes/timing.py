"""When each chunk came, and where it ends, in one short text.

One word a chunk: `GAP[*UNITS][/BYTES]`. GAP is milliseconds since the chunk before (the
first: since the request). The chunk goes through the end of so many units more, and so
many bytes into the one after; without either, it is one unit. A unit is an event of a
stream; any other body is one unit. So an edited event keeps its time, whatever its length.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate

from replayproxy.model import Chunk

_WORD = re.compile(r"(?P<gap>\d+(?:\.\d{1,6})?)(?:\*(?P<units>\d{1,9}))?(?:/(?P<bytes>\d{1,12}))?")
_NS_PER_MS = 1_000_000
_MAX_GAP_DIGITS = 16


class NotTimingError(Exception):
    """The text is no timing. The message says why."""


def milliseconds(ns: int) -> str:
    """Nanoseconds, to the last digit.

    >>> milliseconds(1_500_000), milliseconds(3), milliseconds(2_000_000)
    ('1.5', '0.000003', '2')
    """
    whole, rest = divmod(ns, _NS_PER_MS)
    return f"{whole}.{rest:06}".rstrip("0").rstrip(".")


def nanoseconds(text: str) -> int:
    """The other way.

    >>> nanoseconds("1.5"), nanoseconds("2")
    (1500000, 2000000)

    Raises:
        NotTimingError: it is no number of milliseconds.
    """
    whole, _, rest = text.partition(".")
    if not re.fullmatch(r"\d{1,16}(\.\d{1,6})?", text):
        raise NotTimingError(f"{text!r} is no number of milliseconds")
    return int(whole) * _NS_PER_MS + int(rest.ljust(6, "0") or 0)


def render(chunks: Iterable[Chunk], units: Iterable[bytes]) -> str:
    """The chunks of a body that these units make up.

    >>> render([Chunk(offset_ns=2_000_000, data=b"abcd"), Chunk(offset_ns=5_000_000, data=b"e"),
    ...         Chunk(offset_ns=5_000_000, data=b"fg")], [b"abcd", b"efg"])
    '2 3/1 0'
    """
    ends = list(accumulate(map(len, units)))
    words: list[str] = []
    position = unit = last_ns = 0
    for chunk in chunks:
        end = position + len(chunk.data)
        end_unit = bisect_right(ends, end)
        passed = end_unit - unit
        within = end - max(position, ends[end_unit - 1] if end_unit else 0)
        words.append(_word(milliseconds(max(0, chunk.offset_ns - last_ns)), passed, within))
        position, unit = end, end_unit
        last_ns = max(last_ns, chunk.offset_ns)
    return " ".join(words)


def _word(gap: str, passed: int, within: int) -> str:
    if within and not passed:
        return f"{gap}/{within}"
    many = f"*{passed}" if passed != 1 or within else ""
    return f"{gap}{many}/{within}" if within else f"{gap}{many}"


def parse(text: str, units: Sequence[bytes]) -> tuple[Chunk, ...]:
    """The units as they were cut. What no word is about comes with the last chunk.

    Raises:
        NotTimingError: a word makes no sense.
    """
    body = b"".join(units)
    starts = list(accumulate(map(len, units), initial=0))
    found: list[Chunk] = []
    position = unit = within = offset_ns = 0
    for word in text.split():
        gap_ns, passed, more = _read(word)
        offset_ns += gap_ns
        unit, within = (unit + passed, more) if passed else (unit, within + more)
        end = len(body)
        if unit < len(units):
            end = starts[unit] + min(within, len(units[unit]))
        found.append(Chunk(offset_ns=offset_ns, data=body[position:end]))
        position = end
    if rest := body[position:]:
        last = found.pop() if found else Chunk(offset_ns=0, data=b"")
        found.append(Chunk(offset_ns=last.offset_ns, data=last.data + rest))
    return tuple(found)


def untimed(units: Iterable[bytes]) -> tuple[Chunk, ...]:
    """Each unit a chunk of its own, at once: what was written by hand has no times."""
    return tuple(Chunk(offset_ns=0, data=unit) for unit in units if unit)


def _read(word: str) -> tuple[int, int, int]:
    found = _WORD.fullmatch(word)
    if not found or len(found["gap"]) > _MAX_GAP_DIGITS:
        raise NotTimingError(f"{word!r} is not GAP[*UNITS][/BYTES], such as 12.5 or 0.2*2/13")
    units, within = found["units"], found["bytes"]
    passed = int(units) if units else 0 if within else 1
    return nanoseconds(found["gap"]), passed, int(within or 0)
