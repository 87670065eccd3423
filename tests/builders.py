"""Builders that name only what matters, and a way to wait for another thread."""

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from replayproxy.model import (
    DEFAULT_CASSETTE,
    Chunk,
    Ending,
    Exchange,
    Headers,
    Outcome,
    Request,
    ResponseHead,
)
from replayproxy.store import Store, Tape, Writer

NOON = datetime(2026, 9, 1, 12, 0, 0, 123456, tzinfo=UTC)
EVENTS: Headers = (("content-type", "text/event-stream"),)
JSON: Headers = (("content-type", "application/json"),)
DONE = b"data: [DONE]\n\n"

_REQUEST = Request(
    method="POST", scheme="https", host="api.openai.com", port=443, path="/v1/chat/completions"
)
_HEAD = ResponseHead(offset_ns=1_000, status=200, reason="OK", headers=EVENTS)


def a_request(**given: Any) -> Request:
    """A chat request with an empty body."""
    return replace(_REQUEST, **given)


def asking(content: str = "hi", *, model: str = "gpt-4o", **given: Any) -> Request:
    """A chat request that says something."""
    body = {"model": model, "messages": [{"role": "user", "content": content}]}
    return a_request(body=json.dumps(body).encode(), **given)


def a_head(**given: Any) -> ResponseHead:
    """The head of an SSE stream that came after a microsecond."""
    return replace(_HEAD, **given)


def chunks(*pairs: tuple[int, bytes]) -> tuple[Chunk, ...]:
    """Chunks of (offset_ns, data)."""
    return tuple(Chunk(offset_ns=offset_ns, data=data) for offset_ns, data in pairs)


def an_exchange(**given: Any) -> Exchange:
    """A whole one; without further words a stream that ended after 10 ns."""
    exchange = Exchange(
        id=1,
        started_at=NOON,
        request=_REQUEST,
        head=_HEAD,
        outcome=Outcome.COMPLETED,
        ending=Ending.FINISHED,
        end_offset_ns=10,
    )
    return replace(exchange, **given)


def says(text: str, **more: object) -> bytes:
    """An event of a chat stream that carries text."""
    event = {"choices": [{"index": 0, "delta": {"content": text}}], **more}
    return f"data: {json.dumps(event)}\n\n".encode()


def record(
    writer: Writer,
    *body: Chunk,
    request: Request = _REQUEST,
    head: ResponseHead | None = _HEAD,
    ending: Ending | None = Ending.FINISHED,
    cassette: str = DEFAULT_CASSETTE,
    started_at: datetime = NOON,
) -> Tape:
    """Record an exchange; without an ending it stays in flight."""
    tape = writer.record(request, started_at=started_at, cassette=cassette)
    if head:
        tape.head(head)
    for chunk in body:
        tape.chunk(chunk.offset_ns, chunk.data)
    if ending:
        tape.end(ending, body[-1].offset_ns if body else 1_000)
    return tape


def written(
    path: Path,
    *recordings: dict[str, Any],
    enrich: Callable[[Exchange], Exchange] = lambda exchange: exchange,
) -> Path:
    """A database with these exchanges, each in the words of `record`; `body` is its chunks."""
    writer = Writer(path, enrich=enrich)
    for recording in recordings:
        body: Iterable[Chunk] = recording.pop("body", ())
        record(writer, *body, **recording)
    writer.close()
    return path


def only_exchange(path: Path) -> tuple[Exchange, tuple[Chunk, ...]]:
    """The exchange of a database that holds just one, and its chunks."""
    with Store(path) as store:
        (row,) = store.rows()
        return store.exchange(row["id"]), store.chunks(row["id"])


def eventually[T](condition: Callable[[], T], *, within_s: float = 20.0) -> T:
    """Wait for what another thread or process will do; what it gave when it was true."""
    deadline = time.monotonic() + within_s
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.002)
    return found
