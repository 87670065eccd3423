"""One exchange: all that its page shows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from replayproxy.content_coding import Decoder
from replayproxy.dashboard import copying, pictures, waterfall
from replayproxy.dashboard.conversation import Asked, read_request
from replayproxy.dashboard.cost_view import CostView, cost_view
from replayproxy.dashboard.raw_body import Raw, raw_body
from replayproxy.dashboard.reading import MAX_PARSED_BYTES, Reading, read
from replayproxy.dashboard.stream_events import (
    ChunkEvents,
    StreamEvents,
    read_events,
    read_rows,
)
from replayproxy.dashboard.traced import Traced, read_traced
from replayproxy.model import Headers, header
from replayproxy.serving.reply import EXCHANGE_MARK
from replayproxy.store import LikeIt, Store

MAX_CHUNK_ROWS = 100
"""Chunks on an exchange's own page; the others have pages of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkRow:
    """A chunk in the table: when it came, and what it brought."""

    tick: waterfall.Tick
    brought: ChunkEvents


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangePage:
    """All that the template shows.

    Attributes:
        replay_of: the exchange that a replay answered with, if this one was recorded
            from a replay; it may be another database's.
        has_bodies: False: what was asked and answered is not shown, nor what is made of it.
    """

    seen: Reading
    asked: Asked
    events: StreamEvents
    chunk_rows: tuple[ChunkRow, ...]
    request_raw: Raw
    response_raw: Raw
    cost: CostView
    traced: Traced
    like_it: LikeIt
    replay_of: int | None
    copies: copying.Copies
    has_bodies: bool

    @property
    def in_flight(self) -> bool:
        """Whether there is more to come."""
        return self.seen.in_flight

    @property
    def request_headers(self) -> Headers:
        """As they are stored."""
        return self.seen.exchange.request.headers


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkPage:
    """Some of a long stream's chunks: those from number `first` on."""

    seen: Reading
    rows: tuple[ChunkRow, ...]
    first: int


def read_page(path: Path, exchange_id: int, *, bodies: bool = True) -> ExchangePage:
    """Read an exchange from the database at `path`.

    Raises:
        UnknownExchangeError: there is none of this id.
        DatabaseError: the database cannot be used.
    """
    with Store(path) as store:
        seen = read(store, exchange_id, bodies=bodies)
        like_it = store.like_it(exchange_id)
        traced = read_traced(store, exchange_id)
    exchange = seen.exchange
    request = exchange.request
    shown = range(MAX_CHUNK_ROWS)
    events = read_events(exchange, seen.chunks[: seen.parsed], shown, whole=seen.read_to_the_end)
    readable = len(request.body) <= MAX_PARSED_BYTES
    mark = header(seen.response_headers, EXCHANGE_MARK) or ""
    return ExchangePage(
        seen=seen,
        asked=read_request(request.body) if readable else Asked(),
        events=events,
        chunk_rows=tuple(_rows(seen.ticks, events.rows, shown)),
        request_raw=raw_body(request.body, request.headers),
        response_raw=raw_body(b"".join(c.data for c in seen.chunks), seen.response_headers),
        cost=cost_view(exchange),
        traced=traced,
        like_it=like_it,
        replay_of=int(mark) if mark.isdecimal() and len(mark) < 18 else None,
        has_bodies=bodies,
        copies=copying.copies(exchange, path, playable=seen.row["match_key"] is not None),
    )


def read_chunk_page(
    path: Path, exchange_id: int, *, first: int, count: int, bodies: bool = True
) -> ChunkPage:
    """Read some of an exchange's chunks.

    Raises:
        UnknownExchangeError: there is none of this id.
        DatabaseError: the database cannot be used.
    """
    with Store(path) as store:
        seen = read(store, exchange_id, answer=False, bodies=bodies)
    shown = range(first, first + count)
    rows = read_rows(seen.exchange, seen.chunks, shown)
    return ChunkPage(seen=seen, rows=tuple(_rows(seen.ticks, rows, shown)), first=first)


def read_body(path: Path, exchange_id: int, part: str) -> bytes:
    """The wire bytes of the `request` or the `response`.

    Raises:
        UnknownExchangeError: there is no such exchange.
        DatabaseError: the database cannot be used.
    """
    with Store(path) as store:
        if part == "request":
            return store.exchange(exchange_id).request.body
        store.row(exchange_id)
        return b"".join(chunk.data for chunk in store.chunks(exchange_id))


def read_picture(
    path: Path, exchange_id: int, part: str, digest: str
) -> tuple[pictures.Picture, bytes] | None:
    """A picture inside the JSON of the `request` or the `response`; None if it is not there.

    Raises:
        UnknownExchangeError: there is no such exchange.
        DatabaseError: the database cannot be used.
    """
    with Store(path) as store:
        exchange = store.exchange(exchange_id)
        if part == "request":
            body, headers = exchange.request.body, exchange.request.headers
        else:
            body = b"".join(chunk.data for chunk in store.chunks(exchange_id))
            headers = exchange.head.headers if exchange.head else ()
    decoder = Decoder(header(headers, "content-encoding"))
    return pictures.find_picture(decoder.decode(body), digest)


def _rows(
    ticks: Sequence[waterfall.Tick], brought: Sequence[ChunkEvents], shown: range
) -> Iterator[ChunkRow]:
    # of a response that is too long to be read, there are fewer rows
    for tick, events in zip(ticks[shown.start : shown.stop], brought, strict=False):
        yield ChunkRow(tick=tick, brought=events)
