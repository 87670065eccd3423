"""The overview: its queries, run side by side, and what its parts show."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from markupsafe import Markup

from replayproxy.dashboard.asked import Asked
from replayproxy.dashboard.charts import Charts, ChartSpec, Rows

type RunQuery = Callable[[str, Mapping[str, str]], Awaitable[Rows]]
"""Runs a named query with its parameters. May raise: that costs only what shows it."""

MAX_COLOURED = 7
"""Models that have a colour of their own; the rest shares one."""

OTHER_MODELS = "other models"
TOO_SLOW = "This took too long. Choose a shorter range, or fewer filters."

_BY = {"by_model": "model", "by_tag": "tag"}
"""Queries whose latencies are of each value of this filter."""

_TABLES = (
    "latency", "choices", "by_model", "by_tag", "latest_errors", "slowest", "dearest", "stalled",
    "replay_counts", "latest_misses",
)  # fmt: skip
_MEASURES = ("time_to_first_content_ms", "duration_ms")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartCard:
    """A chart on the page: its picture, or why there is none."""

    chart: ChartSpec
    svg: Markup | None
    query: str
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Totals and latencies of a range; None: a query that failed or took too long.

    Attributes:
        latency: measure -> its row; without a value where nothing was measured.
    """

    totals: Mapping[str, Any] | None
    latency: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """All that the template shows. Of `data`, None is a query that failed or took too long.

    Attributes:
        now, before: the range, and the one before it (None: it is not known whole).
        estimated: whether percentiles come from histograms.
        queries: the parameters of each query, as a URL has them.
    """

    asked: Asked
    data: Mapping[str, Rows | None]
    now: Figures
    before: Figures | None
    charts: tuple[ChartCard, ...]
    colours: tuple[str, ...]
    estimated: bool
    queries: Mapping[str, str]


async def read_overview(
    asked: Asked,
    run: RunQuery,
    specs: Sequence[ChartSpec],
    charts: Charts,
    *,
    table_url: str,
    is_known: Callable[[Asked], bool] = lambda asked: True,
) -> Overview:
    """Run every query once, and draw the charts.

    Args:
        table_url: of the table that marks and rows lead to.
        is_known: whether anything can be said about a range before the one asked for.
    """
    names = tuple(dict.fromkeys((*_TABLES, *(name for spec in specs for name in spec.datasets))))
    earlier = asked.before if asked.before and is_known(asked.before) else None
    reading = _Reading(run)
    totals, totals_before = await asyncio.gather(
        reading.of("totals", asked.parameters),
        reading.of("totals", earlier.parameters) if earlier else _nothing(),
    )
    exchanges = _exchanges(totals)
    parameters = {name: _parameters(asked, name, exchanges) for name in names}
    *found, latency_before = await asyncio.gather(
        *(reading.of(name, parameters[name]) for name in names),
        reading.of("latency", _parameters(earlier, "latency", _exchanges(totals_before)))
        if earlier
        else _nothing(),
    )
    data = dict(zip(names, found, strict=True))
    colours = tuple(str(row["model"]) for row in (data["by_model"] or ())[:MAX_COLOURED])
    words = {**asked.words, "models": [*colours, OTHER_MODELS], "exchanges_url": table_url}
    parameters["totals"] = asked.parameters
    return Overview(
        asked=asked,
        data=data,
        now=_figures(totals, data["latency"]),
        before=_figures(totals_before, latency_before) if earlier else None,
        charts=tuple([await _card(spec, data, charts, words) for spec in specs]),
        colours=colours,
        estimated=parameters["latency"]["latency_grain"].startswith("days"),
        queries={name: urlencode(given) for name, given in parameters.items()},
    )


class _Reading:
    """Queries that may fail, each by itself."""

    def __init__(self, run: RunQuery) -> None:
        self._run = run

    async def of(self, name: str, parameters: Mapping[str, str]) -> Rows | None:
        try:
            rows = await self._run(name, parameters)
        except Exception:  # noqa: BLE001 (whatever it is, it costs only what shows it)
            return None
        if parameters["grain"] == "replays":
            return [_of_replays(row) for row in rows]
        return rows


async def _nothing() -> None:
    return None


def _of_replays(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """A row that leads into the table of replays."""
    if not row.get("filter"):
        return row
    return {**row, "filter": row["filter"].replace("started_at__", "replayed_at__")}


def _parameters(asked: Asked, query: str, exchanges: int) -> dict[str, str]:
    grain = asked.latency_grain(exchanges, by=_BY.get(query))
    return {**asked.parameters, "latency_grain": grain}


def _exchanges(totals: Rows | None) -> int:
    return int(totals[0]["exchanges"]) if totals else 0


def _figures(totals: Rows | None, latency: Rows | None) -> Figures:
    unknown = {"exchanges": 0, "p50_ms": None, "p95_ms": None, "p99_ms": None}
    found = {str(row["measure"]): row for row in latency or ()}
    return Figures(
        totals=totals[0] if totals else None,
        latency={name: found.get(name, unknown) for name in _MEASURES},
    )


async def _card(
    spec: ChartSpec, data: Mapping[str, Rows | None], charts: Charts, words: Mapping[str, Any]
) -> ChartCard:
    query = spec.datasets[0]
    rows = {name: found for name in spec.datasets if (found := data[name]) is not None}
    svg, problem = None, None
    if len(rows) < len(spec.datasets):
        problem = TOO_SLOW
    elif not rows[query]:
        problem = "Nothing measured in this range."
    else:
        svg = await charts.render(spec, rows, words)
    return ChartCard(chart=spec, svg=svg, query=query, problem=problem)
