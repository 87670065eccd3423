"""The overview: what was asked for (range, model), and what its parts show."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self
from urllib.parse import urlencode

from markupsafe import Markup

from replayproxy.dashboard.charts import Charts, ChartSpec, Rows
from replayproxy.store.rows import to_timestamp

type RunQuery = Callable[[str, Mapping[str, str]], Awaitable[Rows]]
"""Runs a named query with its parameters. May raise: that costs only what shows it."""

MAX_COLOURED = 7
"""Models that have a colour of their own; the rest shares one."""

OTHER_MODELS = "other models"


@dataclass(frozen=True, slots=True)
class Bucket:
    """A length of time that charts group by: its name in queries, in Vega, on the axis."""

    name: str
    time_unit: str
    axis_format: str
    step: timedelta


_MINUTE = Bucket("minute", "utcyearmonthdatehoursminutes", "%H:%M", timedelta(minutes=1))
_HOUR = Bucket("hour", "utcyearmonthdatehours", "%H:%M", timedelta(hours=1))
_DAY = Bucket("day", "utcyearmonthdate", "%b %-d", timedelta(days=1))
_MONTH = Bucket("month", "utcyearmonth", "%b %Y", timedelta(days=31))

RANGES: dict[str, tuple[str, timedelta | None, Bucket | None]] = {
    "1h": ("1 h", timedelta(hours=1), _MINUTE),
    "24h": ("24 h", timedelta(hours=24), _HOUR),
    "7d": ("7 d", timedelta(days=7), _DAY),
    "30d": ("30 d", timedelta(days=30), _DAY),
    "90d": ("90 d", timedelta(days=90), _DAY),
    "all": ("all", None, None),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the URL asks for."""

    range: str
    model: str
    since: datetime
    until: datetime
    bucket: Bucket

    @classmethod
    def read(cls, args: Mapping[str, str], span: "Span", now: datetime) -> Self:
        """From a URL's arguments; what they don't say, or say wrong, follows from the data."""
        key = args.get("range", "")
        if key not in RANGES:
            key = span.fitting_range(now)
        _, length, bucket = RANGES[key]
        if length is None or bucket is None:
            length = now - span.first
            bucket = next(
                bucket
                for bucket, most in ((_HOUR, 2), (_DAY, 120), (_MONTH, 10**6))
                if length <= timedelta(days=most)
            )
        # The newest step is the one that is running; the first one is whole.
        since = _floor(now - length + (bucket.step if key != "all" else timedelta()), bucket)
        until = _floor(now, bucket) + bucket.step
        model = args.get("model", "")
        return cls(range=key, model=model, since=since, until=until, bucket=bucket)

    @property
    def parameters(self) -> dict[str, str]:
        """For the named queries."""
        return {
            "since": to_timestamp(self.since),
            "model": self.model,
            "bucket": self.bucket.name,
        }

    @property
    def words(self) -> dict[str, Any]:
        """For the charts."""
        return {
            "since": to_timestamp(self.since),
            "until": to_timestamp(self.until),
            "time_unit": self.bucket.time_unit,
            "axis_format": self.bucket.axis_format,
        }


@dataclass(frozen=True, slots=True)
class Span:
    """From the first exchange to the last."""

    first: datetime
    last: datetime

    def fitting_range(self, now: datetime) -> str:
        """The shortest range that has it all; 30 days of a longer time; all, if it is older."""
        for key, (_, length, _) in RANGES.items():
            if length is not None and self.first > now - length:
                return key
        return "30d" if self.last > now - timedelta(days=30) else "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartCard:
    """A chart on the page: its picture, or why there is none."""

    chart: ChartSpec
    svg: Markup | None
    query: str
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """All that the template shows. Of `data`, None is a query that failed or took too long."""

    asked: Asked
    data: Mapping[str, Rows | None]
    latency: Mapping[str, Mapping[str, Any]]
    charts: tuple[ChartCard, ...]
    colours: tuple[str, ...]
    query_string: str


_TABLES = (
    "totals",
    "latency",
    "model_choices",
    "by_model",
    "latest_errors",
    "slowest",
    "replay_counts",
    "latest_misses",
)


async def read_overview(
    asked: Asked, run: RunQuery, specs: list[ChartSpec], charts: Charts, *, exchanges_url: str
) -> Overview:
    """Run every query once, side by side, and draw the charts."""
    names = tuple(dict.fromkeys((*_TABLES, *(name for spec in specs for name in spec.datasets))))
    results = await asyncio.gather(
        *(run(name, asked.parameters) for name in names), return_exceptions=True
    )
    data: dict[str, Rows | None] = {}
    for name, result in zip(names, results, strict=True):
        data[name] = None if isinstance(result, BaseException) else result
    colours = _colours(data["by_model"] or ())
    words = {**asked.words, "models": [*colours, OTHER_MODELS], "exchanges_url": exchanges_url}
    cards = [await _card(spec, data, charts, words) for spec in specs]
    return Overview(
        asked=asked,
        data=data,
        latency=_latency(data["latency"] or ()),
        charts=tuple(cards),
        colours=colours,
        query_string=urlencode(asked.parameters),
    )


def _latency(rows: Rows) -> dict[str, Mapping[str, Any]]:
    unknown = {"p50_ms": None, "p95_ms": None, "p99_ms": None}
    found = {str(row["measure"]): row for row in rows}
    return {name: found.get(name, unknown) for name in ("time_to_first_content", "duration")}


def _colours(by_model: Rows) -> tuple[str, ...]:
    return tuple(str(row["model"]) for row in by_model[:MAX_COLOURED])


async def _card(
    spec: ChartSpec, data: Mapping[str, Rows | None], charts: Charts, words: Mapping[str, Any]
) -> ChartCard:
    query = spec.datasets[0]
    rows = {name: found for name in spec.datasets if (found := data[name]) is not None}
    svg, problem = None, None
    if len(rows) < len(spec.datasets):
        problem = "This took too long. Choose a shorter range."
    elif not rows[query]:
        problem = "Nothing measured in this range."
    else:
        svg = await charts.render(spec, rows, words)
    return ChartCard(chart=spec, svg=svg, query=query, problem=problem)


def _floor(moment: datetime, bucket: Bucket) -> datetime:
    moment = moment.astimezone(UTC).replace(second=0, microsecond=0)
    match bucket.name:
        case "minute":
            return moment
        case "hour":
            return moment.replace(minute=0)
        case "day":
            return moment.replace(hour=0, minute=0)
        case _:
            return moment.replace(day=1, hour=0, minute=0)
