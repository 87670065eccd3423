"""The events of one stream, each beside what is read from it, and the answer's text so far.

Rule: one pass over the bytes, in linear time; what a page does not show is
counted, not kept.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from replayproxy.content_coding import Decoder
from replayproxy.model import Answer, Chunk, Exchange, Usage, header
from replayproxy.protocols import detect
from replayproxy.sse import ServerSentEvent, SSEDecoder

MAX_DATA = 600
"""Characters of an event's data in a row."""

MAX_SAID = 20_000
"""Characters of an answer that can be followed as it grows."""

_REPEATS = (".completed", ".incomplete", ".failed", ".done")
"""How events of the Responses and Interactions APIs end that say again what deltas said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """One event.

    Attributes:
        name: its type, as the stream or else its data says it.
        data: its beginning; `left_out` counts the characters of the rest.
        found: what was read from it, as (what, text).
    """

    name: str
    data: str
    left_out: int
    found: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkEvents:
    """What one chunk brought.

    Attributes:
        events: those that ended in it; empty for a keep-alive, or a piece of a longer one.
        text: the chunk's own beginning; None if it is no text.
        said_to: how many characters the answer had then (see `StreamEvents.said`), if
            it was followed from the beginning.
    """

    events: tuple[EventRow, ...]
    text: str | None
    said_to: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamEvents:
    """A stream, read.

    Attributes:
        rows: those of the chunks that were asked for.
        said: the answer in the order in which it came, with reasoning and tool calls:
            its first `MAX_SAID` characters.
        said_to: for each chunk, how many characters of the answer there were.
    """

    rows: tuple[ChunkEvents, ...] = ()
    said: str = ""
    said_to: tuple[int, ...] = ()


def read_events(
    exchange: Exchange, chunks: Sequence[Chunk], shown: range, *, whole: bool = True
) -> StreamEvents:
    """Read a stream; its rows are those of the chunks in `shown`.

    `whole`: these are all chunks that there are, so the last event ends with them.
    """
    if exchange.head is None:
        return StreamEvents()
    stream = _Stream(exchange)
    rows, said_to, said = [], [], _Said()
    for seq, chunk in enumerate(chunks):
        data, events = stream.feed(chunk.data)
        if whole and seq == len(chunks) - 1 and exchange.outcome:
            events += stream.flush()
        answers = [stream.read(event) for event in events]
        for event, answer in zip(events, answers, strict=True):
            said.add(event, answer)
        said_to.append(said.length)
        if seq in shown:
            rows.append(_chunk(data, events, answers, said_to=said.length))
    return StreamEvents(rows=tuple(rows), said=said.text(), said_to=tuple(said_to))


def read_rows(exchange: Exchange, chunks: Sequence[Chunk], shown: range) -> tuple[ChunkEvents, ...]:
    """The rows of some chunks, wherever they are in the stream, without reading all before them."""
    if exchange.head is None:
        return ()
    stream = _Stream(exchange)
    first = _where_an_event_begins(chunks, shown.start) if stream.is_plain else 0
    rows = []
    for seq in range(first, min(shown.stop, len(chunks))):
        data, events = stream.feed(chunks[seq].data)
        if seq == len(chunks) - 1 and exchange.outcome:
            events += stream.flush()
        if seq in shown:
            answers = [stream.read(event) for event in events]
            rows.append(_chunk(data, events, answers, said_to=None))
    return tuple(rows)


def _where_an_event_begins(chunks: Sequence[Chunk], start: int) -> int:
    """The last chunk up to `start` that has an event's end before it."""
    start = min(start, len(chunks))
    return next((n for n in range(start, 0, -1) if chunks[n - 1].data.endswith(b"\n\n")), 0)


class _Stream:
    """The decoders of one response."""

    def __init__(self, exchange: Exchange) -> None:
        assert exchange.head is not None
        coding = header(exchange.head.headers, "content-encoding")
        self.is_plain = coding in {None, "", "identity"}
        self._streamed = exchange.streamed
        self._decoder = Decoder(coding)
        self._sse = SSEDecoder()
        self._protocol = detect(exchange.request.method, exchange.request.path)

    def feed(self, data: bytes) -> tuple[bytes, list[ServerSentEvent]]:
        """The bytes, decoded, and the events that end in them."""
        data = self._decoder.decode(data)
        return data, self._sse.feed(data) if self._streamed else []

    def flush(self) -> list[ServerSentEvent]:
        return self._sse.flush() if self._streamed else []

    def read(self, event: ServerSentEvent) -> Answer:
        """What an event says by itself: to a reader that has seen no other."""
        reader = self._protocol.reader()
        reader.read_event(event)
        return reader.answer()


class _Said:
    """The answer, as it grows."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._kind = ""
        self.length = 0

    def add(self, event: ServerSentEvent, answer: Answer) -> None:
        if not _kind_of(event).endswith(_REPEATS):
            for kind, text, begins in _pieces(answer):
                self._add(kind, text, begins=begins)

    def text(self) -> str:
        return "".join(self._pieces)

    def _add(self, kind: str, text: str, *, begins: bool) -> None:
        if self._pieces and (begins or kind != self._kind):
            text = f"\n\n{text}"
        self._kind = kind
        text = text[: MAX_SAID - self.length]
        if text:
            self._pieces.append(text)
            self.length += len(text)


def _pieces(answer: Answer) -> Iterator[tuple[str, str, bool]]:
    """The text in an answer: (what it belongs to, text, whether something new begins)."""
    for choice in answer.choices:
        for kind in ("reasoning", "text", "refusal"):
            if text := getattr(choice, kind):
                yield f"{choice.index} {kind}", text, False
        for call in choice.tool_calls:
            if call.name:
                yield f"{choice.index} call", f"{call.name} ", True
            if call.arguments:
                yield f"{choice.index} call", call.arguments, False


def _chunk(
    data: bytes, events: list[ServerSentEvent], answers: list[Answer], *, said_to: int | None
) -> ChunkEvents:
    found = zip(events, answers, strict=True)
    return ChunkEvents(
        events=tuple(_row(event, answer) for event, answer in found),
        text=as_text(data[: 4 * MAX_DATA]),
        said_to=said_to,
    )


def _row(event: ServerSentEvent, answer: Answer) -> EventRow:
    return EventRow(
        name=_kind_of(event),
        data=event.data[:MAX_DATA],
        left_out=max(0, len(event.data) - MAX_DATA),
        found=tuple((what, text[:MAX_DATA]) for what, text in _found(event, answer)),
    )


def _found(event: ServerSentEvent, answer: Answer) -> Iterator[tuple[str, str]]:
    several = len(answer.choices) > 1 or any(choice.index for choice in answer.choices)
    for choice in answer.choices:
        which = f" {choice.index}" if several else ""
        for kind in ("reasoning", "text", "refusal"):
            if text := getattr(choice, kind):
                yield f"{kind}{which}", text
        for call in choice.tool_calls:
            if call.name:
                yield f"tool call{which}", call.name
            if call.arguments:
                yield f"arguments{which}", call.arguments
        if choice.role and not (choice.text or choice.tool_calls):
            yield f"role{which}", choice.role
        if choice.finish_reason:
            yield f"finish{which}", choice.finish_reason
    if counted := _counted(answer.usage):
        yield "usage", counted
    if answer.reported_cost_usd is not None:
        yield "cost", f"${answer.reported_cost_usd}"
    if answer.error:
        yield "error", answer.error
    if answer.complete:
        yield "end", "complete"
    if event.unterminated:
        yield "odd", "no blank line after it"


def _counted(usage: Usage) -> str:
    counts = usage.counts()
    return ", ".join(f"{count:,} {name.removesuffix('_tokens')}" for name, count in counts.items())


def _kind_of(event: ServerSentEvent) -> str:
    """The stream's name for it; without one, the beginning of its data may have it."""
    if event.event != "message":
        return event.event
    start = event.data[:80].lstrip("{ ")
    name = start.removeprefix('"type":').lstrip()
    return name.split('"')[1] if name != start and name.count('"') >= 2 else "message"


def as_text(data: bytes) -> str | None:
    """UTF-8 text, but for a character that the end may have cut; None for anything else."""
    if b"\x00" in data:
        return None
    text = data.decode("utf-8", "replace")
    return None if text.count("\ufffd") > 1 + len(text) // 20 else text
