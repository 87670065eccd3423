"""One exchange, read anew from its stored bytes: what its own page and a comparison show."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from replayproxy.content_coding import Decoder
from replayproxy.dashboard import waterfall
from replayproxy.dashboard.conversation import Message, read_choices
from replayproxy.dashboard.other_answers import read_answer_body
from replayproxy.model import Answer, Chunk, Exchange, Headers
from replayproxy.recording import read_answer
from replayproxy.store import Store

MAX_PARSED_BYTES = 16 * 1024 * 1024
MAX_PARSED_CHUNKS = 20_000
"""What is beyond is offered for download, but not read on every look at the page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """An exchange and what can be read from it.

    Attributes:
        row: its row of the table `exchanges`, with its `match_key`.
        parsed: of so many chunks, the first ones, the answer was read.
    """

    exchange: Exchange
    row: Mapping[str, Any]
    chunks: Sequence[Chunk]
    parsed: int
    answer: Answer
    choices: tuple[Message, ...]
    ticks: Sequence[waterfall.Tick]

    @property
    def response_headers(self) -> Headers:
        """As they are stored; none if no response came."""
        return self.exchange.head.headers if self.exchange.head else ()

    @property
    def response_bytes(self) -> int:
        """The length of the body, so far."""
        return self.ticks[-1].received if self.ticks else 0

    @property
    def read_to_the_end(self) -> bool:
        """Whether the answer is all that came."""
        return self.parsed == len(self.chunks)

    @property
    def in_flight(self) -> bool:
        """Whether it is still being recorded."""
        return self.exchange.outcome is None

    @property
    def failed(self) -> bool:
        """Whether something went wrong, whoever's fault it was."""
        return bool(self.exchange.error) or (self.row["status"] or 0) >= 400

    @property
    def stalls(self) -> int:
        """How often the stream stood still."""
        return sum(tick.pace == "stall" for tick in self.ticks)

    @property
    def output_tokens_per_second(self) -> float | None:
        """After the first one, so that waiting for it does not count."""
        tokens, first = self.exchange.usage.output_tokens, self.exchange.first_content_ns
        end = self.exchange.end_offset_ns
        if tokens is None or first is None or end is None or end <= first:
            return None
        return tokens * 1e9 / (end - first)


def read(store: Store, exchange_id: int, *, answer: bool = True, bodies: bool = True) -> Reading:
    """Read an exchange; if need be without its answer, or without all that bodies tell.

    Raises:
        UnknownExchangeError: there is none of this id.
        DatabaseError: the database cannot be used.
    """
    row = store.row(exchange_id)
    exchange = store.exchange(exchange_id)
    chunks = store.chunks(exchange_id)
    ticks = waterfall.ticks(chunks, headers_ms=row["time_to_headers_ms"] or 0.0)
    if not bodies:
        exchange = exchange.without_body()
        chunks = tuple(replace(chunk, data=b"") for chunk in chunks)
    readable = _readable(chunks) if answer else ()
    found = read_answer(exchange, readable, Decoder)
    return Reading(
        exchange=exchange,
        row=row,
        chunks=chunks,
        parsed=len(readable),
        answer=found,
        choices=read_choices(found) or read_answer_body(exchange, readable),
        ticks=ticks,
    )


def _readable(chunks: tuple[Chunk, ...]) -> tuple[Chunk, ...]:
    if len(chunks) <= MAX_PARSED_CHUNKS and sum(len(c.data) for c in chunks) <= MAX_PARSED_BYTES:
        return chunks
    length = 0
    for number, chunk in enumerate(chunks[:MAX_PARSED_CHUNKS]):
        length += len(chunk.data)
        if length > MAX_PARSED_BYTES:
            return chunks[:number]
    return chunks[:MAX_PARSED_CHUNKS]
