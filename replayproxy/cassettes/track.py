"""What a cassette holds, as values: exchanges with their chunks, in recorded order."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date

from replayproxy.model import Chunk, Ending, Exchange
from replayproxy.recording import Decode, Recording


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One exchange and the chunks of its answer.

    Of the exchange, what was seen on the wire counts: request, head, ending, times, cost.
    The rest is derived from that.
    """

    exchange: Exchange
    chunks: tuple[Chunk, ...] = ()

    @property
    def body(self) -> bytes:
        """The wire bytes of the answer."""
        return b"".join(chunk.data for chunk in self.chunks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cassette:
    """What a cassette file says.

    Attributes:
        recorded: the day on which it was last seen to be true; None: written by hand.
    """

    tracks: tuple[Track, ...] = ()
    recorded: date | None = None


def derived(track: Track, decoder: Callable[[str | None], Decode]) -> Exchange:
    """The exchange with all that follows from its bytes, as a recording would have it."""
    known = track.exchange
    recording = Recording(
        request=known.request,
        started_at=known.started_at,
        cassette=known.cassette,
        decoder=decoder,
    )
    if known.head:
        recording.head(known.head)
    recording.chunks(track.chunks)
    ending = known.ending or Ending.FINISHED
    recording.finish(ending, known.end_offset_ns or 0, detail=known.error)
    found = recording.exchange()
    cost, source = known.cost_usd, known.cost_source
    if cost is None:
        cost, source = found.cost_usd, found.cost_source
    return replace(found, id=known.id, cost_usd=cost, cost_source=source)
