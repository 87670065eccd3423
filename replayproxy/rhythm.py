"""How evenly the chunks of one stream came: its longest silence, and where it stood still.

A stall is a gap of ten times the stream's usual one (the median) and 250 ms at least.
The wait for the first chunk is none: that is what the time to the first one says.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import sub
from statistics import median

STALL_MS = 250.0
STALL_RATIO = 10.0
_NS_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """None: fewer than two chunks, so that there was no gap."""

    longest_gap_ms: float | None = None
    stalls: int | None = None


def rhythm(offsets_ns: Sequence[int]) -> Rhythm:
    """From when each chunk came.

    >>> rhythm([5_000_000, 25_000_000, 45_000_000, 1_045_000_000])
    Rhythm(longest_gap_ms=1000.0, stalls=1)
    """
    gaps = list(map(sub, offsets_ns[1:], offsets_ns))
    if not gaps:
        return Rhythm()
    longest_ms = max(0, *gaps) / _NS_PER_MS
    stalls = 0
    if longest_ms >= STALL_MS:  # only then it matters what is usual
        limit = stall_ms(median(gaps) / _NS_PER_MS) * _NS_PER_MS
        stalls = sum(gap >= limit for gap in gaps)
    return Rhythm(longest_gap_ms=round(longest_ms, 3), stalls=stalls)


def stall_ms(usual_ms: float) -> float:
    """From which gap on a stream with this usual one stands still."""
    return max(STALL_MS, STALL_RATIO * usual_ms)
