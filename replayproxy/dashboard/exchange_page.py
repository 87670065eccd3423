"""One exchange: all that its page shows, read anew from the stored bytes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from replayproxy.content_coding import Decoder
from replayproxy.dashboard import waterfall
from replayproxy.dashboard.conversation import Asked, Message, pretty, read_choices, read_request
from replayproxy.model import Answer, Chunk, Exchange, Headers, header
from replayproxy.recording import read_answer
from replayproxy.store import Store

MAX_RAW = 50_000
MAX_CHUNK_ROWS = 100
MAX_CHUNK_TEXT = 160
MAX_PARSED_BYTES = 16 * 1024 * 1024
"""Longer bodies are offered for download, but not read on every look at the page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """A body as text, its beginning at least.

    Attributes:
        text: None for bytes that are not text.
        problem: why the text is not all of it, if it is not.
    """

    text: str | None
    size: int
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkRow:
    """A chunk in the table: its timing and its beginning as text."""

    tick: waterfall.Tick
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangePage:
    """All that the template shows; `row` is the exchange's row of the table."""

    exchange: Exchange
    row: Mapping[str, Any]
    asked: Asked
    answer: Answer
    choices: tuple[Message, ...]
    ticks: Sequence[waterfall.Tick]
    chunk_rows: tuple[ChunkRow, ...]
    request_raw: Raw
    response_raw: Raw
    request_headers: Headers
    response_headers: Headers

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


def read_page(path: Path, exchange_id: int) -> ExchangePage:
    """Read an exchange from the database at `path`.

    Raises:
        UnknownExchangeError: there is none of this id.
        DatabaseError: the database cannot be used.
    """
    with Store(path) as store:
        row = store.row(exchange_id)
        exchange = store.exchange(exchange_id)
        chunks = store.chunks(exchange_id)
    small = sum(len(chunk.data) for chunk in chunks) <= MAX_PARSED_BYTES
    answer = read_answer(exchange, chunks, Decoder) if small else Answer()
    request = exchange.request
    readable = len(request.body) <= MAX_PARSED_BYTES
    ticks = waterfall.ticks(chunks, headers_ms=row["time_to_headers_ms"] or 0.0)
    response_headers = exchange.head.headers if exchange.head else ()
    return ExchangePage(
        exchange=exchange,
        row=row,
        asked=read_request(request.body) if readable else Asked(),
        answer=answer,
        choices=read_choices(answer),
        ticks=ticks,
        chunk_rows=_chunk_rows(ticks, chunks, response_headers),
        request_raw=_raw(request.body, request.headers),
        response_raw=_raw(b"".join(chunk.data for chunk in chunks), response_headers),
        request_headers=request.headers,
        response_headers=response_headers,
    )


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


def _raw(body: bytes, headers: Headers) -> Raw:
    decoder = Decoder(header(headers, "content-encoding"))
    decoded = b""
    for start in range(0, len(body), 1 << 16):
        decoded += decoder.decode(body[start : start + (1 << 16)])
        if len(decoded) > 4 * MAX_RAW:
            break
    text = _text(decoded[: 4 * MAX_RAW])
    if text is None:
        return Raw(text=None, size=len(body))
    whole = len(decoded) <= 4 * MAX_RAW and decoder.problem is None
    if whole and (header(headers, "content-type") or "").startswith("application/json"):
        text = pretty(text)
    problem = decoder.problem
    if problem is None and (len(text) > MAX_RAW or not whole):
        problem = "only its beginning is shown"
    return Raw(text=text[:MAX_RAW], size=len(body), problem=problem)


def _text(data: bytes) -> str | None:
    """UTF-8 text, but for a character that the end may have cut; None for anything else."""
    if b"\x00" in data:
        return None
    text = data.decode("utf-8", "replace")
    return None if text.count("\ufffd") > 1 + len(text) // 20 else text


def _chunk_rows(
    ticks: Sequence[waterfall.Tick], chunks: Sequence[Chunk], headers: Headers
) -> tuple[ChunkRow, ...]:
    decoder = Decoder(header(headers, "content-encoding"))
    rows = []
    for tick, chunk in list(zip(ticks, chunks, strict=True))[:MAX_CHUNK_ROWS]:
        data = decoder.decode(chunk.data)
        text = _text(data[: 4 * MAX_CHUNK_TEXT])
        rows.append(ChunkRow(tick=tick, text="(binary)" if text is None else text))
    return tuple(rows)
