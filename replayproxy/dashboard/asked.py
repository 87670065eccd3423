"""What the overview was asked for: a range of time and filters, as they stand in its URL."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Self
from urllib.parse import quote, urlencode

from replayproxy.store.rows import to_timestamp

FILTERS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "model": ("model", "request_model"),
        "provider": ("provider", "provider"),
        "tag": ("tag", "tag"),
        "key": ("key_fingerprint", "key_fingerprint"),
        "cassette": ("cassette", "cassette"),
    }
)
"""Each filter -> its column in the views `sums` and `latencies`, and in the table `exchanges`."""

ARGUMENTS = ("range", "from", "to", "show", *FILTERS)
"""All that a URL of the overview may say."""

KINDS = {"live": "recorded live", "replayed": "replayed"}


@dataclass(frozen=True, slots=True)
class Bucket:
    """A length of time that charts group by: its name in queries, in Vega, on the axis."""

    name: str
    time_unit: str
    axis_format: str
    step: timedelta

    @property
    def has_days(self) -> bool:
        """Whether it is made of whole days, as the rollups are."""
        return self.name in {"day", "month"}


MINUTE = Bucket("minute", "utcyearmonthdatehoursminutes", "%H:%M", timedelta(minutes=1))
HOUR = Bucket("hour", "utcyearmonthdatehours", "%H:%M", timedelta(hours=1))
DAY = Bucket("day", "utcyearmonthdate", "%b %-d", timedelta(days=1))
MONTH = Bucket("month", "utcyearmonth", "%b %Y", timedelta(days=31))
_FITTING = ((MINUTE, timedelta(hours=2)), (HOUR, timedelta(days=2)), (DAY, timedelta(days=120)))

RANGES: dict[str, tuple[str, timedelta | None, Bucket | None]] = {
    "1h": ("1 h", timedelta(hours=1), MINUTE),
    "24h": ("24 h", timedelta(hours=24), HOUR),
    "7d": ("7 d", timedelta(days=7), DAY),
    "30d": ("30 d", timedelta(days=30), DAY),
    "90d": ("90 d", timedelta(days=90), DAY),
    "all": ("all", None, None),
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
class Asked:
    """What the URL asks for.

    Attributes:
        range: a key of `RANGES`, or `own`: from `since` to `until`.
        filters: of `FILTERS`, those that are set.
        kind: of `KINDS`.
    """

    range: str
    since: datetime
    until: datetime
    bucket: Bucket
    filters: Mapping[str, str] = field(default_factory=dict)
    kind: str = "live"

    @classmethod
    def read(cls, args: Mapping[str, str], span: Span, now: datetime) -> Self:
        """From a URL's arguments; what they don't say, or say wrong, follows from the data."""
        filters = {name: args[name] for name in FILTERS if args.get(name)}
        kind = args.get("show", "")
        kind = kind if kind in KINDS else "live"
        if args.get("range") in {"own", "", None} and (own := _own(args, now)):
            since, until, bucket = own
            return cls(
                range="own", since=since, until=until, bucket=bucket, filters=filters, kind=kind
            )
        key = args.get("range", "")
        if key not in RANGES:
            key = span.fitting_range(now)
        _, length, known = RANGES[key]
        length = length or now - span.first
        bucket = known or _fitting(length)
        # The newest step is the one that is running; the first one is whole.
        since = _floor(now - length + (bucket.step if known else timedelta()), bucket)
        return cls(
            range=key,
            since=since,
            until=_after(now, bucket),
            bucket=bucket,
            filters=filters,
            kind=kind,
        )

    @property
    def before(self) -> Self | None:
        """The range of the same length that ends where this begins; of all there is none."""
        if self.range == "all":
            return None
        return type(self)(
            range="own",
            since=_floor(self.since - (self.until - self.since), self.bucket),
            until=self.since,
            bucket=self.bucket,
            filters=self.filters,
            kind=self.kind,
        )

    @property
    def parameters(self) -> dict[str, str]:
        """For the named queries."""
        grain = "days" if self.bucket.has_days else ""
        links = "".join(
            f"&{FILTERS[name][1]}__exact={quote(value, safe='')}"
            for name, value in self.filters.items()
        )
        return {
            "since": self._as_text(self.since),
            "until": self._as_text(self.until),
            "bucket": self.bucket.name,
            "grain": "replays" if self.kind == "replayed" else grain,
            "latency_grain": "",
            "filters": links,
            **{name: self.filters.get(name, "") for name in FILTERS},
        }

    def latency_grain(self, exchanges: int, *, by: str | None = None) -> str:
        """Which rows of `latencies` answer: each exchange, or histograms by day.

        Those know one dimension each: with more filters than one, only the
        exchanges are right.
        """
        if self.kind == "replayed":
            return "replays"
        columns = {FILTERS[name][0] for name in (*self.filters, *([by] if by else ()))}
        if exchanges <= EXACT_UP_TO or not self.bucket.has_days or len(columns) > 1:
            return ""
        return f"days by {columns.pop() if columns else 'provider'}"

    def _as_text(self, moment: datetime) -> str:
        return f"{moment:%Y-%m-%d}" if self.bucket.has_days else to_timestamp(moment)

    @property
    def words(self) -> dict[str, Any]:
        """For the charts."""
        return {
            "since": to_timestamp(self.since),
            "until": to_timestamp(self.until),
            "time_unit": self.bucket.time_unit,
            "axis_format": self.bucket.axis_format,
        }

    @property
    def last_day(self) -> datetime:
        """The last one that is in the range."""
        return self.until - timedelta(microseconds=1)

    def url_query(self, **changes: str | None) -> str:
        """The query of the URL that asks for this, but for some changes; None takes out."""
        said: dict[str, str | None] = {"range": self.range, **self.filters}
        if self.range == "own":
            said |= {"from": _minutes(self.since), "to": _minutes(self.until)}
        if self.kind != "live":
            said["show"] = self.kind
        if changes.get("range"):
            said |= {"from": None, "to": None}
        return urlencode({name: value for name, value in (said | changes).items() if value})


EXACT_UP_TO = 20_000
"""Of so many exchanges, percentiles are read from each; of more, from histograms if they can."""


def _own(args: Mapping[str, str], now: datetime) -> tuple[datetime, datetime, Bucket] | None:
    """The range between two days (the second included) or moments, in whole steps."""
    since, until = _moment(args.get("from", "")), _moment(args.get("to", ""))
    if since is None:
        return None
    if until is None:
        until = now
    elif len(args["to"]) == len("2026-03-10"):
        until += timedelta(days=1)
    if until <= since:
        return None
    bucket = _fitting(until - since)
    begins = _floor(since, bucket)
    ends = _floor(until, bucket)
    return begins, ends if ends == until else _after(until, bucket), bucket


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    found = found.replace(tzinfo=found.tzinfo or UTC)
    # what has room for a range before and after it
    return found.astimezone(UTC) if 1970 <= found.year < 9000 else None


def _minutes(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M}"


def _fitting(length: timedelta) -> Bucket:
    return next((bucket for bucket, most in _FITTING if length <= most), MONTH)


def _after(moment: datetime, bucket: Bucket) -> datetime:
    """The end of the step that a moment is in."""
    return _floor(_floor(moment, bucket) + bucket.step, bucket)


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
