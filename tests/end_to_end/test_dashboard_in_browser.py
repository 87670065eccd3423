"""Every kind of page, in a real browser, on a database full of hostile text."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from replayproxy.dashboard.formats import visible
from tests.dashboards.sample import HOSTILES, varied, with_hostile_misses, write
from tests.dashboards.site import HOME
from tests.end_to_end import chromium
from tests.end_to_end.commands import serving

KINDS = len(varied())
PAGES = (
    "/",
    f"{HOME}?range=24h",
    f"{HOME}?range=all&model=%3Cimg+src%3Dx+onerror%3Ddocument.title%3D%27PWNED%27%3E",
    *(f"{HOME}/exchange/{number}" for number in range(1, KINDS + 1)),
    f"{HOME}/exchange/999",
    "/replayproxy",
    "/replayproxy/exchanges",
    "/replayproxy/exchanges?_columns=all",
    "/replayproxy/exchanges?status=429&_facet=host",
    f"/replayproxy/exchanges/{KINDS}",
    "/replayproxy/chunks",
    "/replayproxy/chunks?exchange_id=1",
    "/replayproxy/latency_by_model",
    "/replayproxy/replays",
    "/replayproxy/misses",
    "/replayproxy/latest_misses?since=&model=",
    "/replayproxy/over_time?since=&model=&bucket=day",
    "/replayproxy/settings",
    "/replayproxy?sql=select+1",
)
REFUSED = {f"{HOME}/exchange/999", "/replayproxy/settings", "/replayproxy?sql=select+1"}


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
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("browser")
    with_hostile_misses(write(folder / "replayproxy.db", *varied()))
    with serving("dashboard", cwd=folder) as child:
        yield child.url


@pytest.mark.parametrize("page", PAGES)
def test_a_page_runs_nothing_that_is_not_ours_and_asks_nobody_else(
    page: str, browser: chromium.Chromium, url: str
) -> None:
    visit = browser.visit(url + page)

    expected = "Failed to load resource: the server responded with a status of 40"
    complaints = [c for c in visit.complaints if not (page in REFUSED and c.startswith(expected))]
    assert complaints == []
    assert [r for r in visit.requests if not r.startswith((f"{url}/", "data:"))] == []
    assert "PWNED" not in visit.title.replace("document.title='PWNED'", "")
    assert browser.evaluate("document.querySelectorAll('img, iframe, object').length") == 0


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
@pytest.mark.parametrize("page", [HOME, f"{HOME}/exchange/1", f"{HOME}/exchange/{KINDS}"])
def test_our_pages_fit_a_phone(page: str, dark: bool, browser: chromium.Chromium, url: str) -> None:
    visit = browser.visit(url + page, width=390, dark=dark)

    assert visit.complaints == []
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


def test_the_browser_itself_would_have_told(browser: chromium.Chromium, tmp_path: Path) -> None:
    page = tmp_path / "bad.html"
    page.write_text(
        "<meta http-equiv=content-security-policy content=\"script-src 'none'\">"
        "<script>1</script><img src=http://127.0.0.1:9/x>"
    )

    visit = browser.visit(page.as_uri())

    assert any("Content Security Policy" in complaint for complaint in visit.complaints)
    assert "http://127.0.0.1:9/x" in visit.requests
