import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from replayproxy.dashboard.charts import Charts, Rows, read_specs
from replayproxy.dashboard.overview import Asked, Span, read_overview
from replayproxy.shipped import dashboards_path

NOW = datetime(2026, 3, 10, 15, 42, 7, tzinfo=UTC)
FOLDER = dashboards_path() / "charts"


def span(*, first: timedelta, last: timedelta = timedelta()) -> Span:
    return Span(NOW - first, NOW - last)


@pytest.mark.parametrize(
    ("asked", "since", "bucket"),
    [
        ("1h", "2026-03-10T14:43:00.000000Z", "minute"),
        ("24h", "2026-03-09T16:00:00.000000Z", "hour"),
        ("7d", "2026-03-04T00:00:00.000000Z", "day"),
        ("30d", "2026-02-09T00:00:00.000000Z", "day"),
        ("90d", "2025-12-11T00:00:00.000000Z", "day"),
        ("all", "2025-03-01T00:00:00.000000Z", "month"),
    ],
)
def test_a_range_begins_with_a_whole_step(asked: str, since: str, bucket: str) -> None:
    found = Asked.read({"range": asked}, span(first=timedelta(days=365)), NOW)

    assert found.parameters == {"since": since, "model": "", "bucket": bucket}
    assert found.until > NOW


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (span(first=timedelta(minutes=5)), "1h"),
        (span(first=timedelta(hours=3)), "24h"),
        (span(first=timedelta(days=5)), "7d"),
        (span(first=timedelta(days=80)), "90d"),
        (span(first=timedelta(days=800), last=timedelta(days=3)), "30d"),
        (span(first=timedelta(days=800), last=timedelta(days=300)), "all"),
    ],
)
def test_unless_asked_the_range_fits_what_was_recorded(found: Span, expected: str) -> None:
    assert Asked.read({}, found, NOW).range == expected
    assert Asked.read({"range": "nonsense"}, found, NOW).range == expected


def test_a_query_that_fails_costs_only_what_shows_it() -> None:
    async def run(name: str, parameters: Mapping[str, str]) -> Rows:
        if name in {"ttft_over_time", "by_model"}:
            raise TimeoutError
        return [{"measure": "duration", "p50_ms": 1}] if name == "latency" else []

    charts = Charts(FOLDER / "theme.json")
    asked = Asked.read({}, span(first=timedelta(days=1)), NOW)
    page = asyncio.run(
        read_overview(asked, run, read_specs(FOLDER / "overview"), charts, exchanges_url="/x")
    )
    charts.close()

    assert [card.problem for card in page.charts] == [
        "Nothing measured in this range.",
        "Nothing measured in this range.",
        "This took too long. Choose a shorter range.",
        "Nothing measured in this range.",
    ]
    assert page.data["by_model"] is None
    assert page.latency["duration"]["p50_ms"] == 1
    assert page.latency["time_to_first_content"]["p50_ms"] is None
