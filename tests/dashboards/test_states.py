"""Databases in every state: each is a page that says what there is, or what is wrong."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from replayproxy.store import search
from tests.dashboards.sample import varied, write
from tests.dashboards.site import HOME, Site, site, words

GOLDEN = Path(__file__).parents[1] / "data"
PAGES = (
    HOME,
    f"{HOME}/exchange/1",
    f"{HOME}/search?q=weather",
    "/replayproxy",
    "/replayproxy/exchanges",
    "/replayproxy/exchanges/1",
    "/replayproxy/cost_by_model",
    "/replayproxy/over_time?since=&model=&bucket=day",
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = write(tmp_path / "a.db", *varied())
    search.catch_up(path)
    return path


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Locks are not waited for."""
    monkeypatch.setattr("replayproxy.dashboard.sql_guard.BUSY_TIMEOUT_S", 0.01)
    monkeypatch.setattr("replayproxy.store.connection.BUSY_TIMEOUT_S", 0.01)


def problems(opened: Site, *urls: str) -> Iterator[tuple[str, int, str]]:
    for url in urls:
        answer = opened.get(url)
        assert "Traceback" not in answer.text
        assert "rp-nav" in answer.text
        yield url, answer.status_code, words(answer.text)


@pytest.mark.parametrize("golden", sorted(GOLDEN.glob("schema_*.db")), ids=lambda path: path.stem)
def test_a_database_of_an_old_version_is_brought_up_to_date(golden: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(golden, tmp_path / "old.db"))

    with site(path) as opened:
        for url in PAGES:
            assert opened.get(url).status_code == 200, url
        assert "4 exchanges are not indexed yet" in opened.text(f"{HOME}/search")


def test_a_new_database_has_every_page(tmp_path: Path) -> None:
    with site(write(tmp_path / "a.db")) as opened:
        assert "Nothing recorded yet" in opened.text(HOME)
        for url in PAGES:
            expected = 404 if url.endswith("/1") else 200
            assert opened.get(url).status_code == expected, url


def test_somebody_who_writes_for_long_holds_up_no_page(path: Path, impatient: None) -> None:
    with site(path) as opened, closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("UPDATE exchanges SET tag = 'x'")

        for url in PAGES:
            assert opened.get(url).status_code == 200, url


def test_a_database_that_somebody_has_for_himself_is_a_page_that_says_so(
    path: Path, impatient: None
) -> None:
    with closing(sqlite3.connect(path)) as connection:  # as an export is: no log beside it
        connection.execute("PRAGMA journal_mode = DELETE")
    with site(path) as opened, closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")

        # Datasette itself waits five seconds for each
        for url, status, said in problems(opened, HOME, f"{HOME}/search", "/replayproxy/exchanges"):
            assert status == 503, url
            assert "The database cannot be used: database is locked" in said, url
            assert "Close that program and try again." in said, url

    with site(path) as opened:
        assert opened.get(HOME).status_code == 200


def test_a_damaged_database_is_a_page_that_says_what_to_do(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        pages = connection.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name IN ('exchanges', 'exchanges_overview')"
        ).fetchall()
        (size,) = connection.execute("PRAGMA page_size").fetchone()

    with site(path) as opened:
        with path.open("r+b") as file:
            for (page,) in pages:
                file.seek((page - 1) * size)
                file.write(b"\xff" * size)
        found = list(problems(opened, *PAGES))

    # a list of names needs no rows, and a query's page says itself what became of it
    datasettes = {"/replayproxy": {200}, PAGES[-1]: {200, 400}}
    for url, status, said in found:
        assert status in datasettes.get(url, {503}), url
        assert url == "/replayproxy" or "malformed" in said, url
        assert status != 503 or ".recover" in said, url


def test_a_database_that_is_gone_is_a_page_that_says_so(path: Path) -> None:
    with site(path) as opened:
        path.unlink()
        answer = opened.get(f"{HOME}/exchange/1")

    assert answer.status_code == 503
    said = words(answer.text)
    assert "unable to open database file" in said or "it does not exist" in said


def test_a_search_that_takes_too_long_says_so(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("replayproxy.store.search.finding.PATIENCE_S", -1.0)
    monkeypatch.setattr("replayproxy.store.search.finding._STEPS_BETWEEN_LOOKS", 1)

    with site(path) as opened:
        assert "This took too long." in opened.text(f"{HOME}/search?q=weather")
        assert opened.get(f"{HOME}/search.json?q=weather").json()["ok"] is False


def test_a_damaged_index_costs_only_the_search(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DROP TABLE search_idx")

    with site(path) as opened:
        assert opened.get(HOME).status_code == 200
        assert opened.get(f"{HOME}/exchange/1").status_code == 200
        broken = opened.get(f"{HOME}/search?q=weather")
        search.rebuild(path)
        assert opened.get(f"{HOME}/search?q=weather").status_code == 200
    assert broken.status_code == 503
    assert "Make it anew with: replayproxy search --rebuild" in words(broken.text)
