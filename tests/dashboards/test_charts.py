import asyncio
import json
from pathlib import Path

import pytest

from replayproxy.dashboard.charts import Charts, ChartSpec, checked, read_specs
from replayproxy.dashboard.named_sql import read_queries
from replayproxy.shipped import dashboards_path
from tests.dashboards.sample import HOSTILES

FOLDER = dashboards_path()
SVG = '<svg xmlns="http://www.w3.org/2000/svg">{}</svg>'
SPEC = {
    "data": {"name": "rows"},
    "mark": "bar",
    "encoding": {
        "x": {"field": "name"},
        "y": {"field": "value", "type": "quantitative"},
        "href": {"field": "link"},
        "description": {"field": "name"},
    },
}


def chart() -> ChartSpec:
    return ChartSpec(name="c", title="C", note="", description="", datasets=("rows",), spec=SPEC)


def draw(*rows: dict[str, object]) -> str:
    charts = Charts(FOLDER / "charts" / "theme.json")
    try:
        return asyncio.run(charts.render(chart(), {"rows": rows}, {}))
    finally:
        charts.close()


@pytest.mark.parametrize("folder", ["overview", "exchange"])
def test_every_spec_has_a_title_and_says_what_it_shows(folder: str) -> None:
    for spec in read_specs(FOLDER / "charts" / folder):
        assert spec.title
        assert spec.description
        assert spec.datasets


def test_every_chart_of_the_overview_has_its_queries() -> None:
    queries = read_queries(FOLDER / "queries")

    names = {name for spec in read_specs(FOLDER / "charts" / "overview") for name in spec.datasets}

    assert names <= queries.keys()
    assert all(query.title != query.name for query in queries.values())


def test_specs_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("2-b", "1-a"):
        spec = {"title": {"text": name}, "data": {"name": "q"}, "layer": [{"data": {"name": "r"}}]}
        (tmp_path / f"{name}.vl.json").write_text(json.dumps(spec))

    specs = read_specs(tmp_path)

    assert [(spec.title, spec.datasets) for spec in specs] == [
        ("1-a", ("q", "r")),
        ("2-b", ("q", "r")),
    ]


@pytest.mark.parametrize("name", [*HOSTILES, "\x00\x08", "\ufffe", "\ud800", "'\"", "x" * 100_000])
def test_no_name_ends_the_process_or_leaves_its_place(name: str) -> None:
    svg = draw({"name": name, "value": 1, "link": "http://replayproxy.invalid/ok"})

    assert "<img" not in svg
    assert "<script" not in svg
    assert "\x1b" not in svg


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", "https://evil.example/", "//evil.example/", "data:text/html,x"]
)
def test_a_link_that_leads_elsewhere_is_no_chart(link: str) -> None:
    with pytest.raises(ValueError, match=r"must not link|conversion failed"):
        draw({"name": "n", "value": 1, "link": link})


@pytest.mark.parametrize(
    "inside",
    [
        "<script>1</script>",
        "<foreignObject/>",
        "<image href='http://replayproxy.invalid/x'/>",
        "<g onclick='1'/>",
        "<a href='javascript:1'/>",
        "<use href='#x'/>",
        "<style>x</style>",
        "<iframe xmlns='http://www.w3.org/1999/xhtml'/>",
    ],
)
def test_whatever_is_no_shape_is_no_chart(inside: str) -> None:
    with pytest.raises(ValueError, match="must not"):
        checked(SVG.format(inside))


def test_links_become_paths_of_this_site() -> None:
    svg = checked(SVG.format('<a href="http://replayproxy.invalid/replayproxy/x?y=1"/>'))

    assert 'href="/replayproxy/x?y=1"' in svg


def test_the_same_data_is_drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []
    monkeypatch.setattr("replayproxy.dashboard.charts._to_svg", drawn.append)
    charts = Charts(FOLDER / "charts" / "theme.json")

    async def draw_both() -> None:
        for value in (1, 1, 2):
            await charts.render(chart(), {"rows": [{"value": value}]}, {})

    asyncio.run(draw_both())
    charts.close()

    assert len(drawn) == 2


def test_words_are_filled_in_where_they_stand_alone() -> None:
    spec = ChartSpec(
        name="c",
        title="C",
        note="",
        description="",
        datasets=("rows",),
        spec={**SPEC, "width": "$width", "title": {"text": "$unknown"}},
    )
    charts = Charts(FOLDER / "charts" / "theme.json")

    rows = {"rows": [{"name": "$width", "value": 1, "link": "http://replayproxy.invalid/"}]}
    svg = asyncio.run(charts.render(spec, rows, {"width": 77}))
    charts.close()

    assert "$unknown" in svg
    assert 'aria-label="$width"' in svg
