import asyncio
from collections.abc import Mapping
from datetime import timedelta

from replayproxy.dashboard.asked import Asked
from replayproxy.dashboard.charts import Charts, Rows, read_specs
from replayproxy.dashboard.overview import Overview, RunQuery, read_overview
from replayproxy.shipped import dashboards_path
from tests.dashboards.test_asked import NOW, span

FOLDER = dashboards_path() / "charts"
SLOW = "This took too long. Choose a shorter range, or fewer filters."


def read(run: RunQuery, *, known: bool = True, **args: str) -> Overview:
    charts = Charts(FOLDER / "theme.json")
    asked = Asked.read(args, span(first=timedelta(days=400)), NOW)
    specs = read_specs(FOLDER / "overview")
    try:
        return asyncio.run(
            read_overview(asked, run, specs, charts, table_url="/x", is_known=lambda _: known)
        )
    finally:
        charts.close()


def test_a_query_that_fails_costs_only_what_shows_it() -> None:
    async def run(name: str, parameters: Mapping[str, str]) -> Rows:
        if name in {"latency_over_time", "by_model"}:
            raise TimeoutError
        return [{"measure": "duration_ms", "p50_ms": 1}] if name == "latency" else []

    page = read(run)

    assert {card.query: card.problem for card in page.charts} == {
        "over_time": "Nothing measured in this range.",
        "latency_over_time": SLOW,
        "latency_distribution": "Nothing measured in this range.",
        "errors_over_time": "Nothing measured in this range.",
    }
    assert page.data["by_model"] is None
    assert page.now.latency["duration_ms"]["p50_ms"] == 1
    assert page.now.latency["time_to_first_content_ms"]["p50_ms"] is None


def test_histograms_answer_for_many_exchanges_where_they_can() -> None:
    asked: dict[str, str] = {}

    async def run(name: str, parameters: Mapping[str, str]) -> Rows:
        asked[name] = parameters["latency_grain"]
        return [{"exchanges": 20_001}] if name == "totals" else []

    page = read(run, range="30d", tag="prod")

    assert page.estimated
    assert asked["latency"] == asked["by_tag"] == "days by tag"
    assert asked["by_model"] == ""


def test_the_range_before_is_asked_for_only_if_it_is_known() -> None:
    asked: list[str] = []

    async def run(name: str, parameters: Mapping[str, str]) -> Rows:
        if name == "totals":
            asked.append(parameters["since"])
        return []

    assert read(run, range="7d").before is not None
    assert read(run, known=False, range="7d").before is None
    assert asked == ["2026-03-04", "2026-02-25", "2026-03-04"]


def test_rows_of_replays_lead_to_replays() -> None:
    async def run(name: str, parameters: Mapping[str, str]) -> Rows:
        return [{"exchanges": 1, "filter": "started_at__gte=2026"}] if name == "by_tag" else []

    page = read(run, range="7d", show="replayed")

    assert (page.data["by_tag"] or [])[0]["filter"] == "replayed_at__gte=2026"
