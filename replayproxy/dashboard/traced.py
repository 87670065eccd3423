"""An exchange's spans and replays, and what else happened in its trace."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from replayproxy.dashboard import formats
from replayproxy.store import Store

type Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanView:
    """A row of `spans`, read: `attributes` and `events` as (name, text)."""

    row: Row
    attributes: tuple[tuple[str, str], ...]
    events: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Traced:
    """What is known of an exchange besides itself.

    Attributes:
        spans: its own first, then those of its latest replays.
        trace: all spans of the trace of its own one, if there are others.
    """

    spans: tuple[SpanView, ...] = ()
    replays: tuple[Row, ...] = ()
    trace: tuple[Row, ...] = ()

    @property
    def trace_id(self) -> str | None:
        """Of its own span."""
        return self.spans[0].row["trace_id"] if self.spans else None


def read_traced(store: Store, exchange_id: int) -> Traced:
    """Read it.

    Raises:
        DatabaseError: the database cannot be used.
    """
    rows = store.spans(exchange_id)
    trace = store.trace(rows[0]["trace_id"]) if rows else []
    return Traced(
        spans=tuple(map(_span, rows)),
        replays=tuple(store.replays(exchange_id)),
        trace=tuple(trace) if len(trace) > 1 else (),
    )


def trace_chart(trace: Sequence[Row], exchange_id: int) -> list[dict[str, Any]]:
    """The data of `charts/exchange/trace.vl.json`."""
    if not trace:
        return []
    began = datetime.fromisoformat(trace[0]["started_at"])
    rows = []
    for number, row in enumerate(trace):
        start = (datetime.fromisoformat(row["started_at"]) - began).total_seconds() * 1e3
        name = formats.one_line(row["name"], 40)
        told = f"exchange {row['exchange_id']}{', replayed' if row['replayed'] else ''}: {name}"
        rows.append(
            {
                "number": number,
                "label": name,
                "start_ms": round(start, 3),
                "end_ms": round(start + row["duration_ms"], 3),
                "kind": "this"
                if row["exchange_id"] == exchange_id
                else "error"
                if row["status"] == "ERROR"
                else "other",
                "says": f"{told}, {formats.ms(row['duration_ms'])} from {formats.ms(start)} on",
                "exchange_id": row["exchange_id"],
            }
        )
    return rows


def _span(row: Row) -> SpanView:
    attributes, events = json.loads(row["attributes"]), json.loads(row["events"])
    return SpanView(
        row=row,
        attributes=tuple((name, _told(value)) for name, value in attributes.items()),
        events=tuple((event["name"], formats.ms(event["offset_ms"])) for event in events),
    )


def _told(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
