"""What is odd about an answer: kept and replayed as it was, and worth telling."""

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Protocol as Interface

from replayproxy.model import Chunk, Exchange, header
from replayproxy.protocols import asked
from replayproxy.sse import SSEDecoder


class Decode(Interface):
    """Undoes a content-encoding, piece by piece (see content_coding.Decoder)."""

    problem: str | None

    def decode(self, data: bytes) -> bytes:
        """The next decoded bytes."""


class Oddity(StrEnum):
    """A flag of an answer, as machines are told it."""

    NOT_SSE = "not_sse"
    NOT_DECODED = "not_decoded"
    NOT_UTF8 = "not_utf8"
    UNTERMINATED = "unterminated"

    @property
    def words(self) -> str:
        """For people."""
        return _WORDS[self]


_WORDS = {
    Oddity.NOT_SSE: "a stream was asked for, and something else came",
    Oddity.NOT_DECODED: "its content-encoding could not be undone",
    Oddity.NOT_UTF8: "the stream is not all UTF-8",
    Oddity.UNTERMINATED: "the last event has no blank line after it",
}


def oddities(
    exchange: Exchange, chunks: Iterable[Chunk], decoder: Callable[[str | None], Decode]
) -> tuple[Oddity, ...]:
    """Those of a stored exchange; none of one without an answer."""
    if exchange.head is None:
        return ()
    decoding = decoder(header(exchange.head.headers, "content-encoding"))
    body = b"".join(decoding.decode(chunk.data) for chunk in chunks)
    found = []
    if asked(exchange.request).stream and not exchange.streamed:
        found.append(Oddity.NOT_SSE)
    if decoding.problem:
        found.append(Oddity.NOT_DECODED)
    elif exchange.streamed:
        if not _is_utf8(body):
            found.append(Oddity.NOT_UTF8)
        events = SSEDecoder()
        events.feed(body)
        if events.flush():
            found.append(Oddity.UNTERMINATED)
    return tuple(found)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
