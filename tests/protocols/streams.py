"""Builders: streams in a provider's shape, and reading them the way a recording does."""

import json
from dataclasses import dataclass

from replayproxy.model import Answer
from replayproxy.protocols import Protocol
from replayproxy.sse import SSEDecoder


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What became of a stream: the answer, and for each event whether it was content."""

    answer: Answer
    content: list[bool]


def event(data: object, *, name: str | None = None) -> bytes:
    """One event; text is its data as it is, anything else as JSON."""
    text = data if isinstance(data, str) else json.dumps(data)
    return (f"event: {name}\n" if name else "").encode() + f"data: {text}\n\n".encode()


def typed(data: dict[str, object]) -> bytes:
    """One event whose name is the `type` of its data, as Anthropic and Responses send it."""
    return event(data, name=str(data["type"]))


def read_stream(protocol: Protocol, *pieces: bytes) -> Read:
    """Decode and read a whole body."""
    decoder, reader = SSEDecoder(), protocol.reader()
    events = [found for piece in pieces for found in decoder.feed(piece)] + decoder.flush()
    content = [reader.read_event(found) for found in events]
    return Read(answer=reader.answer(), content=content)


def read_body(protocol: Protocol, body: object) -> Answer:
    """Read a whole JSON body."""
    reader = protocol.reader()
    reader.read_json(body)
    return reader.answer()
