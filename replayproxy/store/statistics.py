"""Totals of a database, whole and by one dimension: from the views that the dashboard reads."""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from replayproxy.store import rows
from replayproxy.store.sql import as_dict
from replayproxy.store.views import AVOIDED_COLUMNS, TOTAL_COLUMNS

DIMENSIONS: Mapping[str, str] = {
    "model": "model",
    "provider": "provider",
    "tag": "tag",
    "key": "key_fingerprint",
    "cassette": "cassette",
    "day": "day",
}
"""What one can group by -> the column of the views `figures` and `avoided`."""

_SELECT = f"""
SELECT {{name}} AS name, {TOTAL_COLUMNS},
  replayproxy_percentiles(time_to_first_content_ms) AS ttft,
  replayproxy_percentiles(duration_ms) AS duration
FROM figures
WHERE started_at >= :since AND (:cassette IS NULL OR cassette = :cassette)
GROUP BY 1"""

_SELECT_AVOIDED = f"""
SELECT {{name}} AS name, {AVOIDED_COLUMNS}
FROM avoided
WHERE replayed_at >= :since AND (:cassette IS NULL OR cassette = :cassette)
GROUP BY 1"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What a group of exchanges comes to. None: nobody said, or nothing was measured.

    Attributes:
        name: of the group; None: those that have none.
        errors: those that the provider, the transport or the status calls so.
        exchanges_without_cost: whose cost is not known, and not in the sum.
        output_tokens_per_second: from the first content to the end, of all that say both.
        replays: how often one of them was played.
        avoided_cost_usd: what these replays would have cost, as far as it is known.
    """

    name: str | None = None
    exchanges: int = 0
    errors: int = 0
    cost_usd: float | None = None
    exchanges_without_cost: int = 0
    input_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    ttft_p50_ms: float | None = None
    ttft_p95_ms: float | None = None
    ttft_p99_ms: float | None = None
    duration_p50_ms: float | None = None
    duration_p95_ms: float | None = None
    duration_p99_ms: float | None = None
    output_tokens_per_second: float | None = None
    replays: int = 0
    avoided_cost_usd: float | None = None
    avoided_input_tokens: int | None = None
    avoided_output_tokens: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """Everything together, and group by group: the dearest first, days in their order."""

    total: Figures
    groups: tuple[Figures, ...]


def statistics(
    connection: sqlite3.Connection,
    *,
    by: str,
    since: datetime | None = None,
    cassette: str | None = None,
) -> Statistics:
    """Add up what started since then; `by` is one of `DIMENSIONS`."""
    asked = {"since": rows.to_timestamp(since) if since else "", "cassette": cassette}
    groups = list(_figures(connection, DIMENSIONS[by], asked))
    if by == "day":
        groups.sort(key=lambda group: group.name or "")
    else:
        groups.sort(key=lambda group: (-(group.cost_usd or 0), -group.exchanges, group.name or ""))
    total = next(_figures(connection, "NULL", asked), Figures())
    return Statistics(total=total, groups=tuple(groups))


def _figures(
    connection: sqlite3.Connection, name: str, asked: Mapping[str, Any]
) -> Iterator[Figures]:
    groups: dict[str | None, dict[str, Any]] = {}
    for sql in (_SELECT, _SELECT_AVOIDED):
        cursor = connection.execute(sql.format(name=name), asked)
        for row in cursor.fetchall():
            found = as_dict(cursor, row)
            groups.setdefault(found["name"], {}).update(found)
    for group in groups.values():
        for measure in ("ttft", "duration"):
            values = json.loads(group.pop(measure, None) or "[null, null, null]")
            for percent, value in zip((50, 95, 99), values, strict=True):
                group[f"{measure}_p{percent}_ms"] = value
        yield Figures(**{name: value for name, value in group.items() if name in _FIELDS})


_FIELDS = frozenset(field.name for field in fields(Figures))
