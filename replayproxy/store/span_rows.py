"""Spans as rows of the table `spans`."""

import json
import sqlite3
from datetime import UTC, datetime, timedelta

from replayproxy.store.rows import to_ms, to_timestamp
from replayproxy.telemetry.spans import Span

_INSERT = """INSERT INTO spans (exchange_id, replayed, trace_id, span_id, parent_span_id, name,
  started_at, duration_ms, status, status_message, attributes, events)
SELECT id, :replayed, :trace_id, :span_id, :parent_span_id, :name,
  :started_at, :duration_ms, :status, :status_message, :attributes, :events
FROM exchanges WHERE id = :exchange_id -- unless it was deleted meanwhile"""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def put(connection: sqlite3.Connection, exchange_id: int, span: Span, *, replayed: bool) -> None:
    """Store the span of an exchange, or of its replay."""
    started_at = _EPOCH + timedelta(microseconds=span.start_ns // 1000)
    events = [{"name": event.name, "offset_ms": to_ms(event.offset_ns)} for event in span.events]
    connection.execute(
        _INSERT,
        {
            "exchange_id": exchange_id,
            "replayed": int(replayed),
            "trace_id": span.trace_id,
            "span_id": span.span_id,
            "parent_span_id": span.parent_span_id,
            "name": span.name,
            "started_at": to_timestamp(started_at),
            "duration_ms": to_ms(span.duration_ns),
            "status": "UNSET" if span.error is None else "ERROR",
            "status_message": span.error,
            "attributes": json.dumps(dict(span.attributes), ensure_ascii=False),
            "events": json.dumps(events),
        },
    )
