"""The values everything else speaks in.

All are frozen, slotted and keyword-only, and honest about the unknown: None
means "not said", never zero. Times are integers of nanoseconds since the last
byte of the request came from the client (`offset_ns`, monotonic clock); wall
clock appears once, as `Exchange.started_at` (UTC).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

type Headers = tuple[tuple[str, str], ...]
"""Name and value as they stood on the wire, decoded as latin-1 (lossless), in order."""

DEFAULT_CASSETTE = "default"


class Outcome(StrEnum):
    """How an exchange ended. `None` in an exchange means it is still running."""

    COMPLETED = "completed"
    CLIENT_CLOSED = "client_closed"
    UPSTREAM_CLOSED = "upstream_closed"
    INTERRUPTED = "interrupted"


class Ending(StrEnum):
    """How the transport of a response ended.

    `FINISHED` is a clean end as the framing defines it (length, last chunk,
    or an orderly close of a body without either).
    """

    FINISHED = "finished"
    CLIENT_CLOSED = "client_closed"
    UPSTREAM_CLOSED = "upstream_closed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Bytes of a body that arrived together, and when."""

    offset_ns: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the client asked. `path` has no query, `query` no question mark."""

    method: str
    scheme: str
    host: str
    port: int
    path: str
    query: str = ""
    http_version: str = "HTTP/1.1"
    headers: Headers = ()
    body: bytes = b""

    @property
    def target(self) -> str:
        """Path and query, as in a request line."""
        return f"{self.path}?{self.query}" if self.query else self.path


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseHead:
    """Status line and headers, and when they were complete."""

    offset_ns: int
    status: int
    reason: str = ""
    http_version: str = "HTTP/1.1"
    headers: Headers = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens as the provider counted them. Input includes cached, output includes reasoning.

    Attributes:
        cache_write_1h_tokens: of `cache_write_tokens`, those kept for an hour.
        input_audio_tokens: of `input_tokens`; likewise `output_audio_tokens`.
        cache_read_audio_tokens: of `cache_read_tokens`, those that are audio.
        web_searches: searches the provider made and charges for; no tokens.
        problems: (field, what was said) of each value that makes no sense; the field is
            None. The field may also be `reported_cost_usd`.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    cache_write_1h_tokens: int | None = None
    reasoning_tokens: int | None = None
    input_audio_tokens: int | None = None
    output_audio_tokens: int | None = None
    cache_read_audio_tokens: int | None = None
    web_searches: int | None = None
    problems: tuple[tuple[str, str], ...] = ()

    def updated(self, later: "Usage") -> "Usage":
        """Last value wins per field, also one that makes no sense; usage is never summed.

        >>> usage = Usage(input_tokens=9, output_tokens=1).updated(Usage(output_tokens=7))
        >>> usage.input_tokens, usage.output_tokens, usage.reasoning_tokens
        (9, 7, None)
        """
        said = later.counts()
        if not said and not later.problems:
            return self
        wrong = dict(later.problems)
        problems = {name: what for name, what in self.problems if name not in said} | wrong
        unknown = dict.fromkeys(name for name in USAGE_COUNTS if name in wrong)
        return replace(self, **unknown, **said, problems=tuple(problems.items()))

    def counts(self) -> dict[str, int]:
        """What was said, by field.

        >>> Usage(input_tokens=9, reasoning_tokens=0).counts()
        {'input_tokens': 9, 'reasoning_tokens': 0}
        """
        found = {name: getattr(self, name) for name in USAGE_COUNTS}
        return {name: count for name, count in found.items() if count is not None}


USAGE_COUNTS = tuple(name for name in Usage.__slots__ if name != "problems")
"""The fields of `Usage` that count something, in their order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageEstimate:
    """What a provider did not say, as an estimate: kept apart from what was said.

    Attributes:
        source: how it was made.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestParameters:
    """How the model was asked to answer, in one vocabulary for all protocols.

    Attributes:
        output_type: `text`, `json`, `image` or `speech`, if the request says so.
        service_tier: the one asked for.
        conversation_id: the provider's own id of a stored conversation.
    """

    temperature: float | None = None
    top_p: float | None = None
    top_k: float | None = None
    max_tokens: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    stop_sequences: tuple[str, ...] = ()
    seed: int | None = None
    choice_count: int | None = None
    output_type: str | None = None
    service_tier: str | None = None
    conversation_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """One call the model asked for; `arguments` is text, as it was generated."""

    id: str | None = None
    name: str | None = None
    arguments: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One answer of the model (there are several when `n` > 1)."""

    index: int = 0
    role: str | None = None
    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The parsed view of a response body: derived, never the truth.

    Attributes:
        complete: the protocol's own terminal was seen (`[DONE]`, `message_stop`, ...).
        error: the provider's error message, also one inside a 200.
        reported_cost_usd: what the provider says it charged.
        service_tier: the one that was served.
    """

    choices: tuple[Choice, ...] = ()
    usage: Usage = field(default_factory=Usage)
    response_model: str | None = None
    response_id: str | None = None
    service_tier: str | None = None
    system_fingerprint: str | None = None
    error: str | None = None
    reported_cost_usd: Decimal | None = None
    complete: bool = False

    @property
    def finish_reason(self) -> str | None:
        """The first reason that any choice gives."""
        return next(iter(self.finish_reasons), None)

    @property
    def finish_reasons(self) -> tuple[str, ...]:
        """Those that the choices give, in their order."""
        return tuple(c.finish_reason for c in self.choices if c.finish_reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request and all that came back, but for the response's chunks.

    The chunks (wire bytes: after transfer-decoding, before content-decoding) are
    kept apart, since they can be large: `Store.chunks(id)`.

    Attributes:
        outcome: None while it is still running.
        ending: how the transport ended, whatever the protocol made of it;
            a replay ends the same way.
        first_event_ns: offset of the first chunk that carried an event
            (keep-alive comments don't count) or, not streamed, any byte.
        first_content_ns: offset of the first chunk that carried generated content.
        request_id: the provider's id of the request.
        cost_usd: what it cost: what was reported, else what was computed.
        cost_source: who says so ("reported", a price list), or why there is no cost.
        reported_cost_usd: what the provider says it charged.
        computed_cost_usd: its usage at the prices of its time.
        price_version: the price list and its version that computed this.
        price_model: whose price it was: `provider/model` in that list.
    """

    id: int | None = None
    cassette: str = DEFAULT_CASSETTE
    started_at: datetime
    request: Request
    head: ResponseHead | None = None
    outcome: Outcome | None = None
    ending: Ending | None = None
    error: str | None = None
    protocol: str = "http"
    provider: str | None = None
    streamed: bool = False
    request_model: str | None = None
    response_model: str | None = None
    response_id: str | None = None
    finish_reasons: tuple[str, ...] = ()
    parameters: RequestParameters = field(default_factory=RequestParameters)
    service_tier: str | None = None
    system_fingerprint: str | None = None
    usage: Usage = field(default_factory=Usage)
    usage_estimate: UsageEstimate | None = None
    cost_usd: Decimal | None = None
    cost_source: str | None = None
    reported_cost_usd: Decimal | None = None
    computed_cost_usd: Decimal | None = None
    price_version: str | None = None
    price_model: str | None = None
    first_event_ns: int | None = None
    first_content_ns: int | None = None
    end_offset_ns: int | None = None
    chunk_count: int = 0
    response_bytes: int = 0
    tag: str | None = None
    sdk: str | None = None
    sdk_version: str | None = None
    request_id: str | None = None
    traceparent: str | None = None
    retry_count: int | None = None

    @property
    def finish_reason(self) -> str | None:
        """The first reason that any choice gives."""
        return next(iter(self.finish_reasons), None)

    def without_body(self) -> "Exchange":
        """The same without the request's megabytes: for those who have to wait."""
        return replace(self, request=replace(self.request, body=b""))


def header(headers: Headers, name: str) -> str | None:
    """The first value of a header, by case-insensitive name.

    >>> header((("Content-Type", "text/plain"),), "content-type")
    'text/plain'
    """
    wanted = name.lower()
    return next((value for key, value in headers if key.lower() == wanted), None)


def without(headers: Headers, names: Iterable[str]) -> Headers:
    """The headers but for those named (lower case).

    >>> without((("A", "1"), ("b", "2")), {"a"})
    (('b', '2'),)
    """
    dropped = frozenset(names)
    return tuple((key, value) for key, value in headers if key.lower() not in dropped)
