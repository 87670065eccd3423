"""What a replay plays, and when: no socket, no clock, no sleeping.

Rule: the recording's own times count, from the last byte of the request on,
as absolute deadlines; nothing is waited for that was not waited for then.
"""

import math
import random
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
class Pace:
    """The rhythm of a replay.

    Attributes:
        speed: a factor; infinity means at once.
        max_gap_s: no silence of the replay is longer than this: the rest of it is cut.
        jitter_s: each write is late by up to this, at random, the same in every replay
            of one exchange. None of it at infinite speed.
    """

    speed: float = 1.0
    max_gap_s: float = math.inf
    jitter_s: float = 0.0

    @property
    def is_instant(self) -> bool:
        """Whether there is no waiting at all."""
        return self.speed == math.inf


ORIGINAL = Pace()


class Timeline:
    """When what was recorded at an offset is due: seconds after the request.

    Offsets are asked for in their order; what is due never goes backwards.

    >>> timeline = Timeline(Pace(speed=2, max_gap_s=1.0))
    >>> [timeline.at(offset_s * 1_000_000_000) for offset_s in (1, 9, 10)]
    [0.5, 1.5, 2.0]
    """

    def __init__(self, pace: Pace, *, seed: int = 0) -> None:
        self._pace = pace
        self._recorded_s = 0.0
        self._cut_s = 0.0
        self._due_s = 0.0
        self._random = random.Random(seed) if pace.jitter_s else None  # noqa: S311 (no secret)

    def at(self, offset_ns: int | None) -> float:
        """When; something without an offset is due with what came before it."""
        if self._pace.is_instant or offset_ns is None:
            return self._due_s
        recorded_s = offset_ns / _NS_PER_S / self._pace.speed
        self._cut_s += max(0.0, recorded_s - self._recorded_s - self._pace.max_gap_s)
        self._recorded_s = max(self._recorded_s, recorded_s)
        jitter_s = self._random.uniform(0, self._pace.jitter_s) if self._random else 0.0
        self._due_s = max(self._due_s, recorded_s - self._cut_s + jitter_s)
        return self._due_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """What leaves in one write: pieces that belong together, seconds after the request."""

    at_s: float
    parts: tuple[bytes, ...]


def schedule(chunks: Iterable[Chunk], timeline: Timeline) -> Iterator[Write]:
    """When each chunk leaves. Chunks of equal offsets share a write, others never do.

    >>> chunks = [Chunk(offset_ns=n, data=d) for n, d in [(10, b"a"), (10, b"b"), (30, b"c")]]
    >>> [(write.at_s, write.parts) for write in schedule(chunks, Timeline(Pace(speed=2)))]
    [(5e-09, (b'a', b'b')), (1.5e-08, (b'c',))]
    """
    for offset_ns, together in groupby(chunks, key=attrgetter("offset_ns")):
        yield Write(at_s=timeline.at(offset_ns), parts=tuple(chunk.data for chunk in together))


def ends_whole(exchange: Exchange) -> bool:
    """Whether a replay ends in order, or breaks off where the recording did.

    A stream whose protocol said that it was done is whole, even if the client
    hung up before the transport's end.
    """
    return exchange.outcome is Outcome.COMPLETED or exchange.ending is Ending.FINISHED


def parse_pace(*, speed: str, max_gap: str = "", jitter: str = "") -> Pace:
    """A pace from its options, as they are written.

    >>> parse_pace(speed="2", max_gap="1.5")
    Pace(speed=2.0, max_gap_s=1.5, jitter_s=0.0)

    Raises:
        UsageError: one of them makes no sense.
    """
    return Pace(
        speed=parse_speed(speed),
        max_gap_s=_parse_seconds("--max-gap", max_gap, default=math.inf),
        jitter_s=_parse_seconds("--jitter", jitter, default=0.0),
    )


def _parse_seconds(option: str, text: str, *, default: float) -> float:
    if not text:
        return default
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < math.inf:
        raise UsageError(f"{option} {text!r} is not a number of seconds, such as 0.5.")
    return seconds


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
            return math.inf
    try:
        factor = float(text)
    except ValueError:
        factor = 0.0
    if not 0 < factor < math.inf:
        raise UsageError(
            f"--speed {text!r} is not a speed. Use original, instant, or a factor such as 2.5."
        )
    return factor
