"""Spans as the views `spans` and `replay_spans`: made when somebody looks.

Stored they would take as much as the exchanges, and be wrong after a repricing.
"""

import json
import sqlite3
from collections.abc import Mapping
from datetime import timedelta
from functools import lru_cache

from replayproxy.store import rows
from replayproxy.telemetry.spans import Playing, span_of

_COLUMNS = (
    "id", "cassette", "started_at", "method", "host", "path", "status", "outcome", "error",
    "protocol", "provider", "streamed", "request_model", "response_model", "finish_reason",
    "finish_reasons", "response_id", "request_parameters", "service_tier", "system_fingerprint",
    "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens",
    "cache_write_1h_tokens", "reasoning_tokens", "input_audio_tokens", "output_audio_tokens",
    "cache_read_audio_tokens", "web_searches", "cost_usd", "cost_source", "reported_cost_usd",
    "computed_cost_usd", "time_to_first_chunk_ms", "time_to_first_content_ms", "tag", "traceparent",
)  # fmt: skip
_ROW = ", ".join(f"'{name}', exchanges.{name}" for name in _COLUMNS)
_VALUES = (
    "started_at",
    "trace_id",
    "span_id",
    "parent_span_id",
    "name",
    "status",
    "status_message",
)
_ELSEWHERE = dict.fromkeys(
    (
        "query", "scheme", "reason", "request_http_version", "response_http_version", "ending",
        "usage_problems", "estimate_source", "price_version", "price_model", "chunk_count",
        "response_bytes", "sdk", "sdk_version", "request_id", "retry_count", "headers_offset_ns",
    )
)  # fmt: skip
"""What an exchange is read from, too, and no span tells."""

_NO_HEADERS = rows.dump_headers(())


def _view(name: str, ids: Mapping[str, str], of_replay: str, source: str, ended: str) -> str:
    """SQLite makes one flat select of it: who counts, or asks for ids, has no span made."""
    given = ", ".join(f"{value} AS {column}" for column, value in ids.items())
    read = ", ".join(f"span ->> '{column}' AS {column}" for column in _VALUES if column not in ids)
    return f"""CREATE VIEW {name} AS
SELECT {", ".join(ids)}, {read}, span -> 'attributes' AS attributes, span -> 'events' AS events
FROM (SELECT {given}, replayproxy_span(json_object({_ROW}, 'port', requests.port,
    'end_offset_ns', responses.end_offset_ns), {of_replay}) AS span
  FROM {source}
  JOIN requests ON requests.exchange_id = exchanges.id
  LEFT JOIN responses ON responses.exchange_id = exchanges.id
  WHERE {ended})"""


VIEWS = {
    "spans": _view(
        "spans",
        {
            "exchange_id": "exchanges.id",
            "started_at": "exchanges.started_at",
            "duration_ms": "exchanges.duration_ms",
        },
        "NULL, NULL, NULL",
        "exchanges",
        "exchanges.outcome IS NOT NULL",
    ),
    "replay_spans": _view(
        "replay_spans",
        {
            "replay_id": "replays.id",
            "exchange_id": "exchanges.id",
            "duration_ms": "replays.duration_ms",
        },
        "replays.replayed_at, replays.duration_ms, replays.traceparent",
        "replays JOIN exchanges ON exchanges.id = replays.exchange_id",
        "replays.result = 'hit' AND replays.duration_ms IS NOT NULL",
    ),
}


def register(connection: sqlite3.Connection) -> None:
    """Make `replayproxy_span` known, which the views need."""
    connection.create_function("replayproxy_span", 4, as_json, deterministic=True)


@lru_cache(maxsize=8)  # each column of a row asks for it
def as_json(
    exchange: str, replayed_at: str | None, duration_ms: float | None, traceparent: str | None
) -> str | None:
    """The span of an exchange or of its replay as a JSON object; null if that fails.

    Args:
        exchange: a JSON object of the columns that a span tells of.
        replayed_at: when its replay had ended.
    """
    try:
        return json.dumps(_span(json.loads(exchange), replayed_at, duration_ms, traceparent))
    except Exception:  # noqa: BLE001 (the other rows are as good without this one)
        return None


def _span(
    row: dict[str, object],
    replayed_at: str | None,
    duration_ms: float | None,
    traceparent: str | None,
) -> dict[str, object]:
    got = None if row["status"] is None else _NO_HEADERS
    headers = {"request_headers": _NO_HEADERS, "response_headers": got}
    exchange = rows.exchange_from_row(_ELSEWHERE | row | headers, body=b"")
    playing = None
    if replayed_at is not None:
        duration_us = round((duration_ms or 0.0) * 1000)
        playing = Playing(
            started_at=rows.from_timestamp(replayed_at) - timedelta(microseconds=duration_us),
            duration_ns=duration_us * 1000,
            traceparent=traceparent,
        )
    span = span_of(exchange, playing)
    return {
        "started_at": rows.to_timestamp(playing.started_at if playing else exchange.started_at),
        "trace_id": span.trace_id,
        "span_id": span.span_id,
        "parent_span_id": span.parent_span_id,
        "name": span.name,
        "status": "UNSET" if span.error is None else "ERROR",
        "status_message": span.error,
        "attributes": span.attributes,
        "events": [
            {"name": event.name, "offset_ms": rows.to_ms(event.offset_ns)} for event in span.events
        ],
    }
