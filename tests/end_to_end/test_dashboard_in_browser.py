"""Every kind of page, in a real browser, on a database full of hostile text."""

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from datasette.plugins import pm

from replayproxy.dashboard import build
from replayproxy.dashboard.formats import visible
from replayproxy.model import Ending
from replayproxy.shipped import dashboards_path
from replayproxy.store import Writer, search
from tests.builders import eventually
from tests.dashboards.sample import (
    HOSTILES,
    MS,
    Said,
    delta,
    record,
    stream,
    varied,
    with_hostile_misses,
    write,
)
from tests.dashboards.site import CLOSED_TABLES, HOME, QUERY_NAMES, TABLES, VIEWS
from tests.end_to_end import chromium
from tests.end_to_end.commands import serving

KINDS = len(varied())
RUNNING = KINDS + 1
HOSTILE = "%3Cimg+src%3Dx+onerror%3Ddocument.title%3D%27PWNED%27%3E"

OURS = (
    "/",
    HOME,
    f"{HOME}?range=24h",
    f"{HOME}?range=all&model={HOSTILE}",
    *(f"{HOME}/exchange/{number}" for number in range(1, RUNNING + 1)),
    f"{HOME}/exchange/1/chunks",
    f"{HOME}/exchange/{KINDS}/chunks?first=1",
    f"{HOME}/compare",
    *(f"{HOME}/compare?a=1&b={number}" for number in range(1, RUNNING + 1)),
    f"{HOME}/search",
    f"{HOME}/search?q=script",
    f"{HOME}/search?q=img+src&model={HOSTILE}",
    f"{HOME}/search?q={HOSTILE}",
)
DATASETTES = (
    "/replayproxy",
    "/replayproxy/exchanges?_columns=all",
    "/replayproxy/exchanges?status=429&_facet=host",
    f"/replayproxy/exchanges/{KINDS}",
    "/replayproxy/chunks?exchange_id=1",
    *(f"/replayproxy/{name}" for name in (*TABLES, *VIEWS) if name not in CLOSED_TABLES),
    *(f"/replayproxy/{name}?since=&model=&bucket=day" for name in QUERY_NAMES),
    *(f"/-/{name}" for name in ("databases", "plugins", "settings", "versions")),
)
REFUSED = (
    f"{HOME}/exchange/999",
    f"{HOME}/nothing",
    "/replayproxy/nothing",
    "/replayproxy?sql=select+1",
    *(f"/replayproxy/{name}" for name in CLOSED_TABLES),
)
NO_PAGES = (
    f"{HOME}/exchange/1/request",
    f"{HOME}/exchange/1/request/picture/{'0' * 16}",
    f"{HOME}/exchange/1/news.json",
    f"{HOME}/news.json",
    f"{HOME}/static/replayproxy.css",
)
"""What our routes answer besides pages."""


@pytest.fixture(scope="module")
def browser() -> Iterator[chromium.Chromium]:
    path = chromium.find()
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("CI tests in a real browser: apt-get install chromium")
        pytest.skip("there is no Chromium here: apt-get install chromium")
    with chromium.running(path) as running:
        yield running


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Writer]:
    """Still recording: the newest exchange is in flight."""
    path = tmp_path_factory.mktemp("browser") / "replayproxy.db"
    with_hostile_misses(write(path, *varied()))
    writer = Writer(path)
    record(writer, Said(ending=None, chunks=stream(["half", "an"])[:3]))
    search.catch_up(path)
    yield writer
    writer.close()


@pytest.fixture(scope="module")
def url(writer: Writer) -> Iterator[str]:
    with serving("dashboard", cwd=writer.path.parent) as child:
        yield child.url


@pytest.mark.parametrize("page", [*OURS, *DATASETTES, *REFUSED])
def test_a_page_runs_nothing_that_is_not_ours_and_asks_nobody_else(
    page: str, browser: chromium.Chromium, url: str
) -> None:
    visit = browser.visit(url + page)

    expected = "Failed to load resource: the server responded with a status of 40"
    complaints = [c for c in visit.complaints if not (page in REFUSED and c.startswith(expected))]
    assert complaints == []
    assert bool(visit.complaints) is (page in REFUSED)
    assert [r for r in visit.requests if not r.startswith((f"{url}/", "data:"))] == []
    assert "PWNED" not in visit.title.replace("document.title='PWNED'", "")
    assert browser.evaluate("document.querySelectorAll('img, iframe, object').length") == 0
    assert browser.evaluate("document.querySelectorAll('.rp-nav a').length") >= 4


def test_every_route_of_ours_is_visited(writer: Writer) -> None:
    folder = str(dashboards_path() / "plugins")
    datasette = build(writer.path)
    datasette.executor.shutdown()
    ours = [plugin for plugin in pm.get_plugins() if str(plugin.__file__).startswith(folder)]
    routes = [route for plugin in ours for route, _ in plugin.register_routes()]
    visited = [page.partition("?")[0] for page in (*OURS, *REFUSED, *NO_PAGES)]

    assert len(ours) == len(list(Path(folder).glob("*.py")))
    assert [route for route in routes if not any(re.search(route, page) for page in visited)] == []


def test_every_table_view_and_query_is_visited(writer: Writer) -> None:
    with closing(sqlite3.connect(writer.path)) as connection:
        there = {
            name
            for (name,) in connection.execute(
                "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')"
            )
            if not name.startswith("sqlite_")
        }
    queries = {path.stem for path in (dashboards_path() / "queries").glob("*.sql")}

    visited = {page.partition("?")[0].removeprefix("/replayproxy/") for page in DATASETTES}
    assert there - visited - set(CLOSED_TABLES) == set()
    assert queries - visited == set()


@pytest.mark.parametrize("number", range(KINDS - len(HOSTILES) + 1, KINDS + 1))
def test_hostile_text_is_read_by_people_and_not_by_the_browser(
    number: int, browser: chromium.Chromium, url: str
) -> None:
    browser.visit(f"{url}{HOME}/exchange/{number}")
    browser.evaluate("document.querySelectorAll('details').forEach(fold => { fold.open = true })")

    shown = browser.evaluate("document.body.innerText")
    expected = visible(HOSTILES[number - 1 - (KINDS - len(HOSTILES))])
    assert expected in shown


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize(
    "page",
    [
        HOME,
        f"{HOME}/exchange/1",
        f"{HOME}/exchange/{KINDS}",
        f"{HOME}/search?q=script",
        f"{HOME}/exchange/999",
    ],
)
def test_our_pages_fit_a_phone(page: str, dark: bool, browser: chromium.Chromium, url: str) -> None:
    visit = browser.visit(url + page, width=390, dark=dark)

    assert bool(visit.complaints) is (page in REFUSED)
    assert browser.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_mark_of_a_chart_says_what_it_is_when_pointed_at(
    browser: chromium.Chromium, url: str
) -> None:
    browser.visit(f"{url}{HOME}?range=24h")

    said = browser.evaluate(
        """(() => {
          const bar = document.querySelector('.rp-chart svg [aria-roledescription="bar"]');
          const at = {bubbles: true, clientX: 9, clientY: 9};
          bar.dispatchEvent(new PointerEvent('pointermove', at));
          const tip = document.querySelector('.rp-tip');
          return tip.hidden ? null : tip.textContent;
        })()"""
    )

    assert "for" in said
    assert "exchange" in said


def test_choosing_a_model_asks_for_it(browser: chromium.Chromium, url: str) -> None:
    browser.visit(f"{url}{HOME}?range=24h")

    browser.evaluate(
        """(() => {
          const menu = document.querySelector('select[name=model]');
          menu.value = 'gpt-4o';
          menu.dispatchEvent(new Event('change'));
        })()"""
    )
    browser.wait_for_load()

    assert browser.evaluate("location.search") == "?range=24h&model=gpt-4o"


def test_clicking_elsewhere_leaves_our_folds_open(browser: chromium.Chromium, url: str) -> None:
    browser.visit(f"{url}{HOME}/exchange/1")

    still_open = browser.evaluate(
        """(() => {
          const fold = document.querySelector('details.rp-fold');
          fold.open = true;
          document.querySelector('h1').click();
          return fold.open;
        })()"""
    )

    assert still_open is True


def test_new_exchanges_appear_by_themselves(
    browser: chromium.Chromium, url: str, writer: Writer
) -> None:
    browser.visit(f"{url}{HOME}?range=1h")
    before = browser.evaluate("document.querySelector('.rp-tiles').innerText")
    browser.evaluate("document.querySelector('.rp-page').dataset.same = 'yes'; scrollTo(0, 300)")

    record(writer, Said(model="a-new-one"))

    shown = "document.querySelector('.rp-page').innerText.includes('a-new-one')"
    eventually(lambda: browser.evaluate(shown))
    assert browser.evaluate("document.querySelector('.rp-tiles').innerText") != before
    assert browser.evaluate("document.querySelector('.rp-page').dataset.same") is None
    assert browser.evaluate("scrollY") == 300
    assert browser.evaluate("document.querySelector('.rp-news').hidden") is True


def test_nothing_moves_while_text_is_selected(
    browser: chromium.Chromium, url: str, writer: Writer
) -> None:
    browser.visit(f"{url}{HOME}?range=1h")
    browser.evaluate("getSelection().selectAllChildren(document.querySelector('h1'))")
    before = browser.evaluate("document.querySelector('.rp-page').innerText")

    record(writer, Said(model="another"))

    button = "document.querySelector('.rp-news')"
    eventually(lambda: browser.evaluate(f"{button}.hidden") is False)
    assert browser.evaluate(f"{button}.textContent") == "1 new exchange"
    assert browser.evaluate("document.querySelector('.rp-page').innerText") == before
    browser.evaluate(f"{button}.click()")
    eventually(lambda: browser.evaluate(f"{button}.hidden"))
    assert "another" in browser.evaluate("document.querySelector('.rp-page').innerText")


def test_a_stream_grows_and_ends_while_one_watches(
    browser: chromium.Chromium, url: str, writer: Writer
) -> None:
    visit = browser.visit(f"{url}{HOME}/exchange/{RUNNING}")
    (tape,) = writer._spools
    says = "document.querySelector('.rp-page').innerText"
    assert "streaming" in browser.evaluate(says)
    browser.evaluate("document.querySelectorAll('details')[1].open = true")

    tape.chunk(900 * MS, delta(content="answer that grows"))
    eventually(lambda: "half an answer that grows" in browser.evaluate(says))
    tape.chunk(950 * MS, delta(finish_reason="stop") + b"data: [DONE]\n\n")
    tape.end(Ending.FINISHED, 960 * MS)

    eventually(lambda: "streaming" not in browser.evaluate(says))
    assert browser.evaluate("document.querySelectorAll('details')[1].open") is True
    assert visit.complaints == []


def test_the_browser_itself_would_have_told(browser: chromium.Chromium, tmp_path: Path) -> None:
    page = tmp_path / "bad.html"
    page.write_text(
        "<meta http-equiv=content-security-policy content=\"script-src 'none'\">"
        "<script>1</script><img src=http://127.0.0.1:9/x>"
    )

    visit = browser.visit(page.as_uri())

    assert any("Content Security Policy" in complaint for complaint in visit.complaints)
    assert "http://127.0.0.1:9/x" in visit.requests
