"""Tracks out of a database, and into one."""

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from replayproxy.cassettes import Track
from replayproxy.errors import DatabaseError
from replayproxy.model import Ending, Exchange
from replayproxy.pricing import priced
from replayproxy.store import Store, Writer

_BATCH_BYTES = 16 * 1024 * 1024
_PATIENCE_S = 30.0


@dataclass(slots=True, kw_only=True)
class Taken:
    """What a cassette of a database holds.

    Attributes:
        left_out: how many exchanges cannot be replayed, and so are not among the tracks.
    """

    tracks: list[Track] = field(default_factory=list)
    left_out: int = 0


def taken(db: Path, *, cassette: str) -> Taken:
    """All that can be replayed, in recorded order.

    Raises:
        DatabaseError: the database cannot be used.
    """
    found = Taken()
    with Store(db) as store:
        for row in store.rows(cassette=cassette):
            if store.match_keys(row["id"]):
                exchange = store.exchange(row["id"])
                found.tracks.append(Track(exchange=exchange, chunks=store.chunks(row["id"])))
            else:
                found.left_out += 1
    return found


def put(db: Path, tracks: Sequence[Track], *, cassette: str) -> None:
    """Record them, in their order, as if they happened again.

    Raises:
        DatabaseError: the database cannot be used, or did not take all of them.
    """
    # the cost of a recording is what it was then, whatever today's price list says
    known = {id(t.exchange.request): t.exchange for t in tracks if t.exchange.cost_usd is not None}
    stored = threading.Semaphore(0)

    def enriched(exchange: Exchange) -> Exchange:
        today, recorded = priced(exchange), known.get(id(exchange.request))
        if recorded is None:
            return today
        if recorded.computed_cost_usd is not None:
            today = replace(
                today,
                computed_cost_usd=recorded.computed_cost_usd,
                price_version=recorded.price_version,
                price_model=recorded.price_model,
            )
        return replace(today, cost_usd=recorded.cost_usd, cost_source=recorded.cost_source)

    writer = Writer(
        db,
        enrich=enriched,
        on_stored=lambda exchange: stored.release(),
        max_waiting_bytes=1 << 62,  # it never waits; we do
    )
    try:
        for batch in _batches(tracks):
            for track in batch:
                _record(writer, track, cassette)
            for _ in batch:
                if not stored.acquire(timeout=_PATIENCE_S):
                    break
    finally:
        writer.close()
    if writer.recorded != len(tracks):
        raise DatabaseError(
            path=db,
            reason=f"it took {writer.recorded} of {len(tracks)} exchanges",
            hint="See above for why. What it took is there.",
        )


def _batches(tracks: Iterable[Track]) -> Iterable[list[Track]]:
    batch: list[Track] = []
    size = 0
    for track in tracks:
        batch.append(track)
        size += len(track.exchange.request.body) + len(track.body)
        if size > _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    yield batch


def _record(writer: Writer, track: Track, cassette: str) -> None:
    exchange = track.exchange
    tape = writer.record(exchange.request, started_at=exchange.started_at, cassette=cassette)
    if exchange.head:
        tape.head(exchange.head)
    for chunk in track.chunks:
        tape.chunk(chunk.offset_ns, chunk.data)
    ending = exchange.ending or Ending.FINISHED
    detail = None if ending is Ending.FINISHED else exchange.error
    tape.end(ending, exchange.end_offset_ns or 0, detail=detail)
