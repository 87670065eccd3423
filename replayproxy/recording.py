"""One exchange while it is being recorded: bytes and times come in, an Exchange comes out.

Rule: the bytes are the truth, all else is derived. Whatever a protocol's
reader makes of them, or fails to make of them, `Recording` never raises on
what the wire brought.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol as Interface

from replayproxy.attribution import (
    TAG_HEADER,
    attribution,
    reported_cost_usd,
    request_id,
)
from replayproxy.estimating import estimated
from replayproxy.json_text import UNREADABLE, parse_json
from replayproxy.model import (
    Answer,
    Chunk,
    Ending,
    Exchange,
    Headers,
    Outcome,
    Request,
    ResponseHead,
    UsageEstimate,
    header,
)
from replayproxy.protocols import detect
from replayproxy.protocols.base import Protocol, RequestView
from replayproxy.providers import provider_of
from replayproxy.sse import ServerSentEvent, SSEDecoder

MAX_JSON_BYTES = 64 * 1024 * 1024
"""Longer bodies that are not streams are kept, but not parsed."""


class Decode(Interface):
    """Undoes a content-encoding, piece by piece (see content_coding.Decoder)."""

    def decode(self, data: bytes) -> bytes:
        """The next decoded bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How recordings are made.

    Attributes:
        tag_header: the request header whose value becomes the tag.
        keep_bodies: False keeps only what is derived from bodies, and their timing.
        estimate_usage: estimate the tokens that the provider does not say.
    """

    tag_header: str = TAG_HEADER
    keep_bodies: bool = True
    estimate_usage: bool = False


class Recording:
    """Feed it in order: `head()`, `chunks()`..., `finish()`. `exchange()` is there at any time."""

    def __init__(
        self,
        *,
        request: Request,
        started_at: datetime,
        cassette: str,
        decoder: Callable[[str | None], Decode],
        policy: "Policy | None" = None,
    ) -> None:
        self._request = request
        self._policy = policy or Policy()
        self._sender = attribution(request.headers, tag_header=self._policy.tag_header)
        self._started_at = started_at
        self._cassette = cassette
        self._decoder = decoder
        self._protocol = detect(request.method, request.path)
        self._asked = _read_request(self._protocol, request)
        self._head: ResponseHead | None = None
        self._body: _Body | None = None
        self._chunk_count = self._response_bytes = 0
        self._ending: Ending | None = None
        self._end_offset_ns: int | None = None
        self._detail: str | None = None
        self._streamed = False
        self.unread: str | None = None
        """Why there is no parsed view; None while there is one."""

    def head(self, head: ResponseHead) -> None:
        """Status and headers have arrived."""
        self._head = head
        self._body = _Body(self._protocol, head.headers, self._decoder)
        self._streamed = self._body.streamed

    def chunks(self, chunks: Sequence[Chunk]) -> None:
        """Bytes of the body have arrived."""
        self._chunk_count += len(chunks)
        self._response_bytes += sum(len(chunk.data) for chunk in chunks)
        self._read(lambda body: body.feed(chunks))

    def finish(self, ending: Ending, offset_ns: int, *, detail: str | None = None) -> None:
        """The transport has ended; `detail` says why if that was not the normal end."""
        self._ending = ending
        self._end_offset_ns = offset_ns
        self._detail = detail
        self._read(lambda body: body.end(offset_ns))

    def _read(self, step: Callable[["_Body"], None]) -> None:
        """Go on with the parsed view. If that fails, the bytes are as good without it."""
        if self._body is None:
            return
        try:
            step(self._body)
        except Exception as error:  # noqa: BLE001 (derived: its faults harm nothing)
            self._body = None
            self.unread = repr(error)

    def exchange(self) -> Exchange:
        """All that is known so far."""
        body = self._body
        answer = body.answer() if body else Answer()
        outcome = self._outcome(answer)
        cost = answer.reported_cost_usd
        if cost is None and self._head:
            cost = reported_cost_usd(self._head.headers)
        return Exchange(
            cassette=self._cassette,
            started_at=self._started_at,
            request=self._request,
            head=self._head,
            outcome=outcome,
            ending=self._ending,
            error=self._error(answer, outcome),
            protocol=self._protocol.name,
            provider=provider_of(self._request.host),
            streamed=self._streamed,
            request_model=self._asked.model,
            response_model=answer.response_model,
            response_id=answer.response_id,
            finish_reasons=answer.finish_reasons,
            parameters=self._asked.parameters,
            service_tier=answer.service_tier,
            system_fingerprint=answer.system_fingerprint,
            usage=answer.usage,
            usage_estimate=self._estimate(answer) if outcome else None,
            cost_usd=cost,
            cost_source=None if cost is None else "reported",
            reported_cost_usd=cost,
            first_event_ns=body.first_event_ns if body else None,
            first_content_ns=body.first_content_ns if body else None,
            end_offset_ns=self._end_offset_ns,
            chunk_count=self._chunk_count,
            response_bytes=self._response_bytes,
            tag=self._sender.tag,
            sdk=self._sender.sdk,
            sdk_version=self._sender.sdk_version,
            request_id=request_id(self._head.headers) if self._head else None,
            traceparent=self._sender.traceparent,
            retry_count=self._sender.retry_count,
        )

    def _estimate(self, answer: Answer) -> UsageEstimate | None:
        if not self._policy.estimate_usage or self._protocol.name == "http":
            return None
        return estimated(self._request.body, answer)

    def _outcome(self, answer: Answer) -> Outcome | None:
        """The protocol's terminal decides, then the framing (DESIGN: completeness)."""
        if self._ending is None:
            return None
        if answer.complete:
            return Outcome.COMPLETED
        if self._ending is Ending.FINISHED:
            return Outcome.UPSTREAM_CLOSED if self._lacks_terminal(answer) else Outcome.COMPLETED
        return Outcome(self._ending.value)

    def _lacks_terminal(self, answer: Answer) -> bool:
        """A stream that ended in order, but before its protocol said that it was whole."""
        return (
            self._body is not None
            and self._body.streamed
            and self._protocol.has_terminal
            and answer.finish_reason is None
            and answer.error is None
        )

    def _error(self, answer: Answer, outcome: Outcome | None) -> str | None:
        if answer.error is not None:
            return answer.error
        if outcome is Outcome.COMPLETED or outcome is None:
            return None
        if self._detail is None and self._ending is Ending.FINISHED:
            return "the stream ended without the protocol's end"
        return self._detail


class _Body:
    """The parsed view of one response body, and when its parts arrived."""

    def __init__(
        self, protocol: Protocol, headers: Headers, decoder: Callable[[str | None], Decode]
    ) -> None:
        content_type = (header(headers, "content-type") or "").partition(";")[0].strip().lower()
        self.streamed = content_type == "text/event-stream"
        self.first_event_ns: int | None = None
        self.first_content_ns: int | None = None
        self._is_json = content_type == "application/json" or content_type.endswith("+json")
        self._decode = decoder(header(headers, "content-encoding")).decode
        self._events = SSEDecoder()
        self._json = bytearray()
        self._reader = protocol.reader()

    def feed(self, chunks: Sequence[Chunk]) -> None:
        if self.streamed:
            for chunk in chunks:
                self._read(self._events.feed(self._decode(chunk.data)), chunk.offset_ns)
            return
        if self.first_event_ns is None and chunks:
            self.first_event_ns = chunks[0].offset_ns
        for chunk in chunks:
            data = self._decode(chunk.data)
            if self._is_json and len(self._json) <= MAX_JSON_BYTES:
                self._json += data

    def end(self, offset_ns: int) -> None:
        if self.streamed:
            self._read(self._events.flush(), offset_ns)
        elif self._is_json and len(self._json) <= MAX_JSON_BYTES:
            body = parse_json(bytes(self._json))
            if body is not UNREADABLE:
                self._reader.read_json(body)

    def answer(self) -> Answer:
        return self._reader.answer()

    def _read(self, events: list[ServerSentEvent], offset_ns: int) -> None:
        for event in events:
            if self.first_event_ns is None:
                self.first_event_ns = offset_ns
            has_content = self._reader.read_event(event)
            if has_content and self.first_content_ns is None:
                self.first_content_ns = offset_ns


def read_answer(
    exchange: Exchange, chunks: tuple[Chunk, ...], decoder: Callable[[str | None], Decode]
) -> Answer:
    """The parsed view of a stored exchange, derived anew from its bytes."""
    if exchange.head is None:
        return Answer()
    body = _Body(
        detect(exchange.request.method, exchange.request.path), exchange.head.headers, decoder
    )
    body.feed(chunks)
    body.end(exchange.end_offset_ns or 0)
    return body.answer()


def _read_request(protocol: Protocol, request: Request) -> RequestView:
    body = parse_json(request.body) if request.body else UNREADABLE
    return protocol.read_request(request.path, body)
