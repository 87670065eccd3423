r"""Server-sent events: bytes in, events out. No socket, no clock.

Follows "Interpreting an event stream", WHATWG HTML 9.2.6. The rule: the same
bytes give the same events, however they are cut, and no bytes make it raise.

Deliberate differences from the standard:

* A tail without its blank line is not thrown away: `flush()` gives it as an
  event marked `unterminated`, since real providers end their streams that way.
* `id` is None, not "", until the stream has set one.
* `retry` is told on the event whose block holds it, instead of acted upon.
"""

from codecs import BOM_UTF8
from dataclasses import dataclass

_MAX_RETRY_DIGITS = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSentEvent:
    """One message of a stream.

    Attributes:
        event: its type; "message" when the stream does not say.
        data: its data lines, joined with line feeds; invalid UTF-8 is U+FFFD.
        id: the last id the stream has set, here or earlier.
        retry_ms: the reconnection time set in this event's block.
        unterminated: the body ended before the blank line that ends an event.
    """

    event: str = "message"
    data: str
    id: str | None = None
    retry_ms: int | None = None
    unterminated: bool = False


class SSEDecoder:
    r"""Decodes one stream, piece by piece, in linear time.

    >>> decoder = SSEDecoder()
    >>> decoder.feed(b": keep-alive\n\ndata: caf\xc3")
    []
    >>> [event.data for event in decoder.feed(b"\xa9\n\ndata: [DONE]")]
    ['café']
    >>> [(event.data, event.unterminated) for event in decoder.flush()]
    [('[DONE]', True)]
    """

    def __init__(self) -> None:
        self._at_start = True
        self._after_cr = False
        # Pieces of the line that has not ended yet: joined once, when it ends,
        # so that an event of many megabytes costs linear time.
        self._torn: list[bytes] = []
        self._data: list[bytes] = []
        self._event = b""
        self._id: str | None = None
        self._retry_ms: int | None = None

    def feed(self, data: bytes) -> list[ServerSentEvent]:
        """Take the next bytes of the body; give the events that end in them."""
        if self._after_cr and data:
            data = data.removeprefix(b"\n")
            self._after_cr = False
        if not data:
            return []
        if data.find(b"\n") == len(data) - 2 and self._is_between_events():
            event = self._lone(data)
            if event:
                return [event]
        self._after_cr = data.endswith(b"\r")
        lines = data.splitlines()  # of bytes: breaks at CR, LF and CRLF only
        unfinished = None if data.endswith((b"\r", b"\n")) else lines.pop()
        if lines:
            lines[0] = self._whole_line(lines[0])
        if unfinished is not None:
            self._torn.append(unfinished)
        return [event for line in lines if (event := self._take_line(line)) is not None]

    def flush(self) -> list[ServerSentEvent]:
        """End of the body: give the event that was still open, if any. Call it once."""
        if line := self._whole_line(b""):
            self._take_line(line)
        event = self._dispatch(unterminated=True)
        return [] if event is None else [event]

    def _is_between_events(self) -> bool:
        """Nothing has begun, and what is usual at the beginning only is behind."""
        begun = self._torn or self._data or self._event or self._retry_ms is not None
        return not (begun or self._at_start)

    def _lone(self, data: bytes) -> ServerSentEvent | None:
        r"""The event of a piece that is `data: ...\n\n` and no more, as most are: at less cost."""
        if data[:6] != b"data: " or data[-1:] != b"\n" or data.find(b"\r") >= 0:
            return None
        return ServerSentEvent(data=data[6:-2].decode(errors="replace"), id=self._id)

    def _whole_line(self, end: bytes) -> bytes:
        """The line that ends with these bytes, with what came of it before."""
        if self._torn:
            end = b"".join((*self._torn, end))
            self._torn.clear()
        if self._at_start:
            self._at_start = False
            end = end.removeprefix(BOM_UTF8)
        return end

    def _take_line(self, line: bytes) -> ServerSentEvent | None:
        if not line:
            return self._dispatch()
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        match field:
            case b"data":
                self._data.append(value)
            case b"event":
                self._event = value
            case b"id" if b"\0" not in value:
                self._id = value.decode(errors="replace")
            case b"retry" if value.isdigit() and len(value) <= _MAX_RETRY_DIGITS:
                self._retry_ms = int(value)
        return None

    def _dispatch(self, *, unterminated: bool = False) -> ServerSentEvent | None:
        lines, event, retry_ms = self._data, self._event, self._retry_ms
        self._data, self._event, self._retry_ms = [], b"", None
        if not lines:
            return None
        return ServerSentEvent(
            event=event.decode(errors="replace") or "message",
            data=b"\n".join(lines).decode(errors="replace"),
            id=self._id,
            retry_ms=retry_ms,
            unterminated=unterminated,
        )
