"""Between values and rows: what stands in which column, in both directions."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from replayproxy.model import Ending, Exchange, Headers, Outcome, Request, ResponseHead, Usage

_NS_PER_MS = 1_000_000


def to_timestamp(moment: datetime) -> str:
    """ISO 8601 in UTC, microseconds, `Z`.

    >>> to_timestamp(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    '2026-01-02T03:04:05.000000Z'
    """
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def from_timestamp(text: str) -> datetime:
    """The moment that `to_timestamp` wrote."""
    return datetime.fromisoformat(text)


def to_ms(offset_ns: int | None) -> float | None:
    """Milliseconds, to the microsecond."""
    return None if offset_ns is None else round(offset_ns / _NS_PER_MS, 3)


def _to_ns(offset_ms: float | None) -> int | None:
    return None if offset_ms is None else round(offset_ms * _NS_PER_MS)


def dump_headers(headers: Headers) -> str:
    """Headers as a JSON array of pairs."""
    return json.dumps([list(pair) for pair in headers])


def load_headers(text: str) -> Headers:
    """Headers that `dump_headers` wrote."""
    return tuple((name, value) for name, value in json.loads(text))


def exchange_columns(exchange: Exchange) -> dict[str, Any]:
    """A row of `exchanges`, but for `id`, `run_id` and `key_fingerprint`."""
    request, usage = exchange.request, exchange.usage
    return {
        "cassette": exchange.cassette,
        "started_at": to_timestamp(exchange.started_at),
        "method": request.method,
        "host": request.host,
        "path": request.path,
        "status": exchange.head.status if exchange.head else None,
        "outcome": exchange.outcome,
        "error": exchange.error,
        "protocol": exchange.protocol,
        "provider": exchange.provider,
        "streamed": int(exchange.streamed),
        "request_model": exchange.request_model,
        "response_model": exchange.response_model,
        "finish_reason": exchange.finish_reason,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_read_tokens": usage.cache_read_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
        "cost_usd": None if exchange.cost_usd is None else float(exchange.cost_usd),
        "cost_source": exchange.cost_source,
        "time_to_headers_ms": to_ms(exchange.head.offset_ns if exchange.head else None),
        "time_to_first_chunk_ms": to_ms(exchange.first_event_ns),
        "time_to_first_content_ms": to_ms(exchange.first_content_ns),
        "duration_ms": to_ms(exchange.end_offset_ns),
        "chunk_count": exchange.chunk_count,
        "request_bytes": len(request.body),
        "response_bytes": exchange.response_bytes,
        "tag": exchange.tag,
        "sdk": exchange.sdk,
        "sdk_version": exchange.sdk_version,
        "request_id": exchange.request_id,
        "traceparent": exchange.traceparent,
        "retry_count": exchange.retry_count,
    }


def request_columns(request: Request) -> dict[str, Any]:
    """A row of `requests`, but for its ids and the match key."""
    return {
        "scheme": request.scheme,
        "port": request.port,
        "query": request.query,
        "http_version": request.http_version,
        "headers": dump_headers(request.headers),
    }


def head_columns(head: ResponseHead) -> dict[str, Any]:
    """The part of a row of `responses` that is known when the headers are."""
    return {
        "reason": head.reason,
        "http_version": head.http_version,
        "headers": dump_headers(head.headers),
        "headers_offset_ns": head.offset_ns,
    }


def exchange_from_row(row: Mapping[str, Any], *, body: bytes) -> Exchange:
    """An exchange from the joined row that `Store` selects.

    The columns of `requests` and `responses` carry the prefixes `request_` and
    `response_` where their names would clash.
    """
    request = Request(
        method=row["method"],
        scheme=row["scheme"],
        host=row["host"],
        port=row["port"],
        path=row["path"],
        query=row["query"],
        http_version=row["request_http_version"],
        headers=load_headers(row["request_headers"]),
        body=body,
    )
    head = None
    if row["response_headers"] is not None:
        head = ResponseHead(
            offset_ns=row["headers_offset_ns"],
            status=row["status"],
            reason=row["reason"],
            http_version=row["response_http_version"],
            headers=load_headers(row["response_headers"]),
        )
    return Exchange(
        id=row["id"],
        cassette=row["cassette"],
        started_at=from_timestamp(row["started_at"]),
        request=request,
        head=head,
        outcome=None if row["outcome"] is None else Outcome(row["outcome"]),
        ending=None if row["ending"] is None else Ending(row["ending"]),
        error=row["error"],
        protocol=row["protocol"],
        provider=row["provider"],
        streamed=bool(row["streamed"]),
        request_model=row["request_model"],
        response_model=row["response_model"],
        finish_reason=row["finish_reason"],
        usage=Usage(
            input_tokens=row["input_tokens"],
            output_tokens=row["output_tokens"],
            cache_read_tokens=row["cache_read_tokens"],
            cache_write_tokens=row["cache_write_tokens"],
            reasoning_tokens=row["reasoning_tokens"],
        ),
        cost_usd=None if row["cost_usd"] is None else Decimal(repr(row["cost_usd"])),
        cost_source=row["cost_source"],
        first_event_ns=_to_ns(row["time_to_first_chunk_ms"]),
        first_content_ns=_to_ns(row["time_to_first_content_ms"]),
        end_offset_ns=row["end_offset_ns"],
        chunk_count=row["chunk_count"] or 0,
        response_bytes=row["response_bytes"] or 0,
        tag=row["tag"],
        sdk=row["sdk"],
        sdk_version=row["sdk_version"],
        request_id=row["request_id"],
        traceparent=row["traceparent"],
        retry_count=row["retry_count"],
    )
