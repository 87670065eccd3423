"""The overview of a range and of filters, through the real application."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from replayproxy.store import rollups
from replayproxy.store.connection import open_for_writing
from tests.dashboards.sample import Said, replay, stream, write
from tests.dashboards.site import HOME, Site, site

NOW = datetime.now(UTC)


def said(days: float, **given: object) -> Said:
    tag = given.pop("tag", "prod")
    headers = (("x-aig-tag", str(tag)),)
    more = {"started_at": NOW - timedelta(days=days), "headers": headers, **given}
    return Said(**more)  # type: ignore[arg-type]


@pytest.fixture(scope="module", params=["uncounted", "counted"])
def opened(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """Twelve days: before, one dear exchange a day; lately, two, one of them stalled."""
    path = write(
        tmp_path_factory.mktemp("filters") / "a.db",
        *(said(day, chunks=stream(["a"], cost=0.5)) for day in range(7, 15)),
        *(said(day, tag="dev", model="gpt-5") for day in range(1, 4)),
        *(said(day, chunks=[(at, b"a") for at in (300, 320, 340, 2000)]) for day in range(1, 4)),
        said(2, tag="dev", status=429, chunks=[(9, b"{}")]),
    )
    replay(path, "hit", exchange_id=1)
    replay(path, "miss")
    if request.param == "counted":
        connection = open_for_writing(path).conn
        with connection:
            rollups.fold(connection)
        connection.close()
    with site(path) as opened:
        yield opened


def test_tiles_say_how_much_they_changed(opened: Site) -> None:
    page = opened.text(f"{HOME}?range=7d")

    assert "7 exchanges" in page.replace("7 unchanged exchanges", "7 exchanges")
    assert "Changes are against the 7 d before." in page
    assert re.search(r"\$0\.0036 -99\.9% cost", page)
    assert "3 stood still" in page


def test_without_a_whole_range_before_nothing_is_compared(opened: Site) -> None:
    page = opened.text(f"{HOME}?range=30d")

    assert "the range before this one was not recorded whole" in page


@pytest.mark.parametrize(
    ("query", "exchanges"),
    [
        ("range=7d&tag=dev", 4),
        ("range=7d&model=gpt-5", 3),
        ("range=7d&model=gpt-5&tag=prod", 0),
        ("range=7d&provider=aigateway", 7),
        ("range=7d&cassette=default&tag=prod", 3),
        ("range=7d&key=nobody", 0),
        ("range=all", 15),
        (f"from={NOW - timedelta(days=9, hours=1):%Y-%m-%d}", 10),
    ],
)
def test_filters_and_ranges_choose(opened: Site, query: str, exchanges: int) -> None:
    page = opened.text(f"{HOME}?{query}")

    if exchanges:
        assert re.search(rf"\b{exchanges}( [-+x][\d.]+%?| unchanged)? exchanges? ", page)
    else:
        assert "No exchange with" in page


def test_every_link_into_the_table_finds_as_many_as_it_says(opened: Site) -> None:
    page = opened.get(f"{HOME}?range=7d").text

    marks = re.findall(
        r'href="(/replayproxy/exchanges\?[^"]*)"[^>]*>\s*<path aria-label="[^"]*: (\d+) exchange',
        page.replace("&amp;", "&"),
    )
    assert len(marks) >= 3
    for url, count in marks:
        found = opened.get(url.replace("exchanges?", "exchanges.json?_shape=array&")).json()
        assert len(found) == int(count)


def test_what_was_replayed_is_counted_by_what_it_avoided(opened: Site) -> None:
    page = opened.text(f"{HOME}?range=7d&show=replayed")

    assert re.search(r"\$0\.50 avoided by replays", page)
    assert "2 replays" in page
    assert "50% misses and errors" in page


def test_what_stalled_is_listed(opened: Site) -> None:
    rows = opened.get("/replayproxy/stalled.json?_shape=array&since=").json()

    assert [row["longest_gap_ms"] for row in rows] == [1660.0] * 3
