"""Answers that are no conversation: vectors, pictures, transcripts, files."""

from collections.abc import Iterator, Sequence

from replayproxy.content_coding import Decoder
from replayproxy.dashboard.conversation import Message, Part, as_part, media_part
from replayproxy.dashboard.formats import size
from replayproxy.json_text import UNREADABLE, parse_json
from replayproxy.model import Chunk, Exchange, header
from replayproxy.protocols.untrusted import as_list, as_object, as_text

MAX_SHOWN = 20
_NUMBERS = 4


def read_answer_body(exchange: Exchange, chunks: Sequence[Chunk]) -> tuple[Message, ...]:
    """One message for what can be recognised; nothing for all else."""
    if exchange.head is None or exchange.streamed or exchange.head.status >= 400 or not chunks:
        return ()
    headers = exchange.head.headers
    media_type = (header(headers, "content-type") or "").partition(";")[0].strip().lower()
    length = sum(len(chunk.data) for chunk in chunks)
    if media_type.startswith(("audio/", "image/", "video/")):
        note = Part(
            kind="media", name=media_type.partition("/")[0], text=f"{media_type}, {size(length)}"
        )
        return (Message(role="answer", parts=(note,)),)
    decoder = Decoder(header(headers, "content-encoding"))
    value = parse_json(b"".join(decoder.decode(chunk.data) for chunk in chunks))
    if value is UNREADABLE:
        return ()
    parts = tuple(_parts(value))
    return (Message(role="answer", parts=parts),) if parts else ()


def _parts(body: object) -> Iterator[Part]:
    given = as_object(body)
    items = as_list(given.get("data"))
    for item in map(as_object, items[:MAX_SHOWN]):
        if "embedding" in item:
            yield as_part("other", _vector(item["embedding"]), name="embedding")
        elif data := as_text(item.get("b64_json")):
            yield media_part("image", {"source": {"data": data}})
        elif url := as_text(item.get("url")):
            yield media_part("image", {"image_url": url})
    if len(items) > MAX_SHOWN and any("embedding" in as_object(item) for item in items):
        yield as_part("text", f"{len(items) - MAX_SHOWN:,} more")
    if not items and (text := as_text(given.get("text"))):  # a transcript
        yield as_part("text", text)


def _vector(value: object) -> str:
    if isinstance(value, str):
        return f"{len(value):,} characters of base64"
    numbers = as_list(value)
    start = ", ".join(str(number)[:12] for number in numbers[:_NUMBERS])
    return f"{len(numbers):,} numbers: {start}{', …' if len(numbers) > _NUMBERS else ''}"
