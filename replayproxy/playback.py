"""What a replay plays, and when: no socket, no clock, no sleeping.

Rule: the recording's own times count, from the last byte of the request on,
as absolute deadlines; nothing is waited for that was not waited for then.
"""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from operator import attrgetter

from replayproxy.errors import UsageError
from replayproxy.model import Chunk, Ending, Exchange, Outcome

_NS_PER_S = 1_000_000_000


class Repeat(StrEnum):
    """What answers a request once all its recordings were played."""

    LAST = "last"
    CYCLE = "cycle"
    ERROR = "error"


class Playlist:
    """Hands out recordings of the same request in recorded order.

    >>> playlist = Playlist(Repeat.LAST)
    >>> [playlist.next("key", [7, 9]) for _ in range(3)]
    [7, 9, 9]
    """

    def __init__(self, repeat: Repeat) -> None:
        self._repeat = repeat
        self._played: dict[Hashable, int] = {}

    def next[T](self, key: Hashable, candidates: Sequence[T]) -> T | None:
        """The next of the (never empty) candidates; None if they are used up."""
        position = self._played.get(key, 0)
        self._played[key] = position + 1
        if position < len(candidates):
            return candidates[position]
        match self._repeat:
            case Repeat.LAST:
                return candidates[-1]
            case Repeat.CYCLE:
                return candidates[position % len(candidates)]
            case Repeat.ERROR:
                return None


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
