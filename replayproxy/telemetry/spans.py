"""An exchange, or its replay, as an OpenTelemetry span: a pure function, without any package.

https://github.com/open-telemetry/semantic-conventions-genai
Rule: what is not known is no attribute. A replay has no usage and costs nothing,
since back ends would bill it; what it avoided has names of its own.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from replayproxy.model import Exchange, Outcome
from replayproxy.protocols.base import posts_to
from replayproxy.telemetry import names

type Value = str | int | float | bool | list[str]

_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_SAMPLED = 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_OPERATIONS = {
    "openai_chat": "chat",
    "openai_responses": "chat",
    "anthropic_messages": "chat",
    "gemini": "generate_content",
    "gemini_interactions": "chat",
}
_BY_PATH = {"/embeddings": "embeddings", "/completions": "text_completion"}
_SPEAKS = {
    "openai_chat": "openai",
    "openai_responses": "openai",
    "anthropic_messages": "anthropic",
    "gemini": "gcp.gemini",
    "gemini_interactions": "gcp.gemini",
}
"""Whose API a host speaks that nobody knows, which is what clients of it believe."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanEvent:
    """A moment within a span."""

    name: str
    offset_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A CLIENT span.

    Attributes:
        trace_id: 32 hex digits; `span_id` 16.
        sampled: False if the client's traceparent says that nobody wants it.
        start_ns: since 1970, UTC.
        attributes: those of `names.ATTRIBUTES` that are known, with their types.
        error: what went wrong; None: the status is unset.
    """

    name: str
    trace_id: str
    span_id: str
    parent_span_id: str | None = None
    sampled: bool = True
    start_ns: int
    duration_ns: int
    attributes: Mapping[str, Value]
    events: tuple[SpanEvent, ...] = ()
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Playing:
    """When and for whom a recorded exchange was played.

    Attributes:
        traceparent: of the request that was answered.
    """

    started_at: datetime
    duration_ns: int
    traceparent: str | None = None


def span_of(exchange: Exchange, playing: Playing | None = None) -> Span:
    """The span of a stored exchange that has ended, or of a replay of it.

    It has the same ids whenever it is made, and is a child of the client's span
    if the client sent a valid `traceparent`.
    """
    started_at = playing.started_at if playing else exchange.started_at
    parent = _TRACEPARENT.fullmatch((playing or exchange).traceparent or "")
    if parent and (int(parent[1], 16) == 0 or int(parent[2], 16) == 0):
        parent = None
    identity = f"{exchange.cassette}/{exchange.id}/{started_at.isoformat()}/{bool(playing)}"
    digest = hashlib.sha256(identity.encode()).hexdigest()
    operation = operation_name(exchange)
    subject = exchange.request.method if operation == "http" else exchange.request_model
    attributes = {
        names.OPERATION_NAME: operation,
        **_of_request(exchange),
        **_of_response(exchange),
        **(_of_replay(exchange) if playing else _of_usage(exchange)),
        names.EXCHANGE_ID: exchange.id,
        names.CASSETTE: exchange.cassette,
        names.REPLAYED: playing is not None,
        names.OUTCOME: exchange.outcome and str(exchange.outcome),
        names.TAG: exchange.tag,
    }
    return Span(
        name=f"{operation} {subject}" if subject else operation,
        trace_id=parent[1] if parent else digest[:32],
        span_id=digest[32:48],
        parent_span_id=parent[2] if parent else None,
        sampled=bool(int(parent[3], 16) & _SAMPLED) if parent else True,
        start_ns=_ns(started_at),
        duration_ns=playing.duration_ns if playing else exchange.end_offset_ns or 0,
        attributes={name: value for name, value in attributes.items() if _is_said(value)},
        events=_events(exchange, playing),
        error=_error(exchange),
    )


def operation_name(exchange: Exchange) -> str:
    """`gen_ai.operation.name`; `http` of what is no LLM call."""
    if exchange.protocol in _OPERATIONS:
        return _OPERATIONS[exchange.protocol]
    request = exchange.request
    found = (
        name for ending, name in _BY_PATH.items() if posts_to(request.method, request.path, ending)
    )
    return next(found, "http")


def provider_name(exchange: Exchange) -> str:
    """`gen_ai.provider.name`, which every span and measurement must have."""
    return exchange.provider or _SPEAKS.get(exchange.protocol) or exchange.request.host


def _of_request(exchange: Exchange) -> dict[str, Any]:
    asked = exchange.parameters
    return {
        names.PROVIDER_NAME: provider_name(exchange),
        names.SERVER_ADDRESS: exchange.request.host,
        names.SERVER_PORT: exchange.request.port,
        names.REQUEST_MODEL: exchange.request_model,
        names.REQUEST_STREAM: exchange.streamed or None,
        names.REQUEST_TEMPERATURE: asked.temperature,
        names.REQUEST_TOP_P: asked.top_p,
        names.REQUEST_TOP_K: asked.top_k,
        names.REQUEST_MAX_TOKENS: asked.max_tokens,
        names.REQUEST_FREQUENCY_PENALTY: asked.frequency_penalty,
        names.REQUEST_PRESENCE_PENALTY: asked.presence_penalty,
        names.REQUEST_STOP_SEQUENCES: list(asked.stop_sequences),
        names.REQUEST_SEED: asked.seed,
        names.REQUEST_CHOICE_COUNT: None if asked.choice_count == 1 else asked.choice_count,
        names.OUTPUT_TYPE: asked.output_type,
        names.CONVERSATION_ID: asked.conversation_id,
        names.OPENAI_REQUEST_SERVICE_TIER: asked.service_tier if _is_openai(exchange) else None,
    }


def _of_response(exchange: Exchange) -> dict[str, Any]:
    first_ns = exchange.first_event_ns if exchange.streamed else None
    found = {
        names.RESPONSE_ID: exchange.response_id,
        names.RESPONSE_MODEL: exchange.response_model,
        names.RESPONSE_FINISH_REASONS: _finish_reasons(exchange),
        names.RESPONSE_TIME_TO_FIRST_CHUNK: None if first_ns is None else first_ns / 1e9,
        names.ERROR_TYPE: error_type(exchange),
    }
    if _is_openai(exchange):
        found[names.OPENAI_RESPONSE_SERVICE_TIER] = exchange.service_tier
        found[names.OPENAI_SYSTEM_FINGERPRINT] = exchange.system_fingerprint
    return found


def _of_usage(exchange: Exchange) -> dict[str, Any]:
    usage = exchange.usage
    cost = None if exchange.cost_usd is None else float(exchange.cost_usd)
    return {
        names.USAGE_INPUT_TOKENS: usage.input_tokens,
        names.USAGE_OUTPUT_TOKENS: usage.output_tokens,
        names.USAGE_CACHE_READ_TOKENS: usage.cache_read_tokens,
        names.USAGE_CACHE_WRITE_TOKENS: usage.cache_write_tokens,
        names.USAGE_REASONING_TOKENS: usage.reasoning_tokens,
        names.USAGE_COST: cost,
        names.COST_USD: cost,
        names.COST_SOURCE: exchange.cost_source and str(exchange.cost_source),
    }


def _of_replay(exchange: Exchange) -> dict[str, Any]:
    return {
        names.USAGE_COST: 0.0,
        names.COST_USD: 0.0,
        names.COST_SOURCE: "replay",
        names.AVOIDED_COST_USD: None if exchange.cost_usd is None else float(exchange.cost_usd),
        names.AVOIDED_INPUT_TOKENS: exchange.usage.input_tokens,
        names.AVOIDED_OUTPUT_TOKENS: exchange.usage.output_tokens,
    }


def _finish_reasons(exchange: Exchange) -> list[str]:
    was_cut = exchange.outcome is not None and exchange.outcome is not Outcome.COMPLETED
    return ["error"] if was_cut and exchange.streamed else list(exchange.finish_reasons)


def error_type(exchange: Exchange) -> str | None:
    """`error.type`: few different values, and only of what counts as an error elsewhere, too."""
    if exchange.head and exchange.head.status >= 400:
        return str(exchange.head.status)
    if exchange.error is None:
        return None
    was_cut = exchange.outcome is not None and exchange.outcome is not Outcome.COMPLETED
    return str(exchange.outcome) if was_cut else "provider_error"


def _error(exchange: Exchange) -> str | None:
    kind = error_type(exchange)
    return None if kind is None else exchange.error or f"HTTP {kind}"


def _events(exchange: Exchange, playing: Playing | None) -> tuple[SpanEvent, ...]:
    """Where they were recorded; a replay has them at the same shares of its own length."""
    scale = 1.0
    if playing:
        scale = playing.duration_ns / exchange.end_offset_ns if exchange.end_offset_ns else 0.0
    found = (
        (names.FIRST_CHUNK_EVENT, exchange.first_event_ns),
        (names.FIRST_CONTENT_EVENT, exchange.first_content_ns),
    )
    return tuple(
        SpanEvent(name=name, offset_ns=round(offset_ns * scale))
        for name, offset_ns in found
        if offset_ns is not None
    )


def _is_openai(exchange: Exchange) -> bool:
    return exchange.protocol in ("openai_chat", "openai_responses")


def _is_said(value: Value | None) -> bool:
    return value is not None and value != []


def _ns(moment: datetime) -> int:
    since = moment - _EPOCH
    return ((since.days * 86_400 + since.seconds) * 10**6 + since.microseconds) * 1000
