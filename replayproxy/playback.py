"""What a replay plays, and when: no socket, no clock, no sleeping.

Rule: the recording's own times count, from the last byte of the request on,
as absolute deadlines; nothing is waited for that was not waited for then.
"""

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from operator import attrgetter
from typing import Protocol as Interface

from replayproxy.errors import UsageError
from replayproxy.model import Chunk, Ending, Exchange, Outcome

_NS_PER_S = 1_000_000_000


class Repeat(StrEnum):
    """What answers a request once all its recordings were played."""

    LAST = "last"
    CYCLE = "cycle"
    ERROR = "error"


class Queue(Interface):
    """The recordings of equal requests, by their ids, in recorded order. Never empty."""

    @property
    def name(self) -> Hashable:
        """What tells it from others."""

    def after(self, exchange_id: int) -> int | None:
        """The first one later than this; None: there is none."""

    def last(self) -> int:
        """The last one of all."""


class Playlist:
    """Hands out recordings of equal requests in recorded order, then repeats as asked."""

    def __init__(self, repeat: Repeat) -> None:
        self._repeat = repeat
        self._position: dict[Hashable, int] = {}
        self._played: set[int] = set()
        self._turned: set[Hashable] = set()
        """Queues that were used up, and began again."""

    def next(self, queue: Queue, *, unplayed: bool = False) -> int | None:
        """The next one; None if they are used up and nothing shall be repeated.

        Args:
            unplayed: pass over what another queue has handed out, which this one
                shares recordings with.
        """
        found = self._following(queue, unplayed=unplayed)
        if found is None and self._repeat is Repeat.CYCLE:
            self._turned.add(queue.name)
            self._position[queue.name] = 0
            found = self._following(queue, unplayed=unplayed)
        if found is None:
            return queue.last() if self._repeat is Repeat.LAST else None
        self._position[queue.name] = found
        self._played.add(found)
        return found

    def _following(self, queue: Queue, *, unplayed: bool) -> int | None:
        found = queue.after(self._position.get(queue.name, 0))
        if unplayed and queue.name not in self._turned:
            while found is not None and found in self._played:
                found = queue.after(found)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """What leaves in one write: chunks that arrived together, seconds after the request."""

    at_s: float
    parts: tuple[bytes, ...]


def schedule(chunks: Iterable[Chunk], *, speed: float) -> Iterator[Write]:
    """When each chunk leaves. Chunks of equal time share a write, others never do.

    `speed` is a factor; infinity means at once, and still one by one.

    >>> chunks = [Chunk(offset_ns=n, data=d) for n, d in [(10, b"a"), (10, b"b"), (30, b"c")]]
    >>> [(write.at_s, write.parts) for write in schedule(chunks, speed=2)]
    [(5e-09, (b'a', b'b')), (1.5e-08, (b'c',))]
    """
    for offset_ns, together in groupby(chunks, key=attrgetter("offset_ns")):
        yield Write(at_s=at(offset_ns, speed=speed), parts=tuple(chunk.data for chunk in together))


def at(offset_ns: int | None, *, speed: float) -> float:
    """An offset in seconds at this speed."""
    return (offset_ns or 0) / _NS_PER_S / speed


def ends_whole(exchange: Exchange) -> bool:
    """Whether a replay ends in order, or breaks off where the recording did.

    A stream whose protocol said that it was done is whole, even if the client
    hung up before the transport's end.
    """
    return exchange.outcome is Outcome.COMPLETED or exchange.ending is Ending.FINISHED


def parse_speed(text: str) -> float:
    """`original`, `instant` or a positive factor.

    >>> parse_speed("original"), parse_speed("instant"), parse_speed("2.5")
    (1.0, inf, 2.5)

    Raises:
        UsageError: it is none of these.
    """
    match text:
        case "original":
            return 1.0
        case "instant":
            return float("inf")
    try:
        factor = float(text)
    except ValueError:
        factor = 0.0
    if not 0 < factor < float("inf"):
        raise UsageError(
            f"--speed {text!r} is not a speed. Use original, instant, or a factor such as 2.5."
        )
    return factor
