"""Between values and rows: what stands in which column, in both directions."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from replayproxy.model import (
    USAGE_COUNTS,
    Ending,
    Exchange,
    Headers,
    Outcome,
    Request,
    RequestParameters,
    ResponseHead,
    Usage,
    UsageEstimate,
)
from replayproxy.rhythm import rhythm

_NS_PER_MS = 1_000_000


def to_timestamp(moment: datetime) -> str:
    """ISO 8601 in UTC, microseconds, `Z`.

    >>> to_timestamp(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    '2026-01-02T03:04:05.000000Z'
    """
    return moment.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


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


def _to_real(amount: Decimal | None) -> float | None:
    """SQLite's REAL keeps 15 digits exactly, enough for any cost there is."""
    return None if amount is None else float(amount)


def _from_real(amount: float | None) -> Decimal | None:
    return None if amount is None else Decimal(repr(amount))


def _dump(value: Mapping[str, Any] | list[str]) -> str | None:
    """As JSON; null if there is nothing in it."""
    return json.dumps(value, ensure_ascii=False) if value else None


def _said(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in (None, ())}


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
        "finish_reasons": _dump(list(exchange.finish_reasons)),
        "response_id": exchange.response_id,
        "request_parameters": _dump(_said(asdict(exchange.parameters))),
        "service_tier": exchange.service_tier,
        "system_fingerprint": exchange.system_fingerprint,
        **{name: getattr(usage, name) for name in USAGE_COUNTS},
        "usage_problems": _dump(dict(usage.problems)),
        **_estimate_columns(exchange.usage_estimate or UsageEstimate()),
        **cost_columns(exchange),
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


def rhythm_columns(offsets_ns: Sequence[int]) -> dict[str, Any]:
    """Those of `exchanges` that say how evenly the chunks of a finished one came."""
    found = rhythm(offsets_ns)
    return {"longest_gap_ms": found.longest_gap_ms, "stalls": found.stalls}


def cost_columns(exchange: Exchange) -> dict[str, Any]:
    """Those of `exchanges` that say what it cost, and how that is known."""
    return {
        "cost_usd": _to_real(exchange.cost_usd),
        "cost_source": exchange.cost_source,
        "reported_cost_usd": _to_real(exchange.reported_cost_usd),
        "computed_cost_usd": _to_real(exchange.computed_cost_usd),
        "price_version": exchange.price_version,
        "price_model": exchange.price_model,
    }


def _estimate_columns(estimate: UsageEstimate) -> dict[str, Any]:
    return {
        "estimated_input_tokens": estimate.input_tokens,
        "estimated_output_tokens": estimate.output_tokens,
        "estimate_source": estimate.source,
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
        finish_reasons=_finish_reasons(row),
        response_id=row["response_id"],
        parameters=_parameters(row["request_parameters"]),
        service_tier=row["service_tier"],
        system_fingerprint=row["system_fingerprint"],
        usage=Usage(
            **{name: row[name] for name in USAGE_COUNTS},
            problems=tuple(json.loads(row["usage_problems"] or "{}").items()),
        ),
        usage_estimate=_estimate(row),
        cost_usd=_from_real(row["cost_usd"]),
        cost_source=row["cost_source"],
        reported_cost_usd=_from_real(row["reported_cost_usd"]),
        computed_cost_usd=_from_real(row["computed_cost_usd"]),
        price_version=row["price_version"],
        price_model=row["price_model"],
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


def _finish_reasons(row: Mapping[str, Any]) -> tuple[str, ...]:
    """All of them; of an exchange that an earlier version recorded, the first."""
    if row["finish_reasons"] is not None:
        return tuple(json.loads(row["finish_reasons"]))
    return () if row["finish_reason"] is None else (row["finish_reason"],)


def _parameters(text: str | None) -> RequestParameters:
    found = json.loads(text or "{}")
    stop_sequences = tuple(found.pop("stop_sequences", ()))
    return RequestParameters(stop_sequences=stop_sequences, **found)


def _estimate(row: Mapping[str, Any]) -> UsageEstimate | None:
    if row["estimate_source"] is None:
        return None
    return UsageEstimate(
        input_tokens=row["estimated_input_tokens"],
        output_tokens=row["estimated_output_tokens"],
        source=row["estimate_source"],
    )
