"""Bodies stored lately: what an agent sends next repeats most of what it sent before.

Such a body is stored against the earlier one, so that it costs its growth.
"""

from collections import deque
from dataclasses import dataclass

MIN_BYTES = 4096
"""Shorter ones are not worth it."""

MAX_HOPS = 8
"""How many others it takes to read one, at most."""

_BODIES = 16
_BODY_BYTES = 4_000_000
_IN_COMMON = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A body that is in the database.

    Attributes:
        hops: how many others it takes to read it.
    """

    id: int
    sha256: bytes
    data: bytes
    hops: int


class Histories:
    """Remembers a few, and finds the one that another body goes on from."""

    def __init__(self) -> None:
        self._lately: deque[Stored] = deque(maxlen=_BODIES)

    def remember(self, stored: Stored) -> None:
        """It is committed. What it goes on from is forgotten: the next one goes on from it."""
        if not MIN_BYTES <= len(stored.data) <= _BODY_BYTES:
            return
        if (before := self.before(stored.data)) and before.id != stored.id:
            self._lately.remove(before)
        self._lately.append(stored)

    def before(self, data: bytes) -> Stored | None:
        """What begins as this does, for at least half of its length; the longest such part."""
        if len(data) < MIN_BYTES:
            return None
        shared = [(_common_prefix(data, one.data), n) for n, one in enumerate(self._lately)]
        longest, n = max(shared, default=(0, 0))
        if not longest or longest < _IN_COMMON * len(self._lately[n].data):
            return None
        return self._lately[n]


def _common_prefix(a: bytes, b: bytes) -> int:
    """How many bytes both begin with.

    >>> _common_prefix(b"hello", b"help")
    3
    """
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
