"""The page of search: what it finds, how it shows it, and what it never does."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from replayproxy.store import search
from tests.dashboards.sample import HOSTILES, Said, stream, varied, write
from tests.dashboards.site import HOME, Site, site, words

PAGE = f"{HOME}/search"


def asking(content: str, *, model: str = "gpt-4o", **given: object) -> Said:
    asked = {"model": model, "stream": True, "messages": [{"role": "user", "content": content}]}
    return Said(model=model, request=asked, **given)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    path = tmp_path_factory.mktemp("search") / "a.db"
    old = datetime.now(UTC) - timedelta(days=20)
    write(
        path,
        *varied(),
        asking("Is it raining in Lisbon?", chunks=stream(["No,", "it", "is", "dry."])),
        asking("Raining in Oslo?", model="gpt-5", cassette="other"),
        asking("raining long ago", started_at=old),
    )
    search.catch_up(path)
    with site(path) as opened:
        yield opened


def ids(opened: Site, **args: str) -> list[int]:
    found = opened.get(f"{PAGE}.json?{urlencode(args)}")
    assert found.status_code == 200
    return [row["id"] for row in found.json()["rows"]]


def test_what_was_asked_and_answered_is_found_and_marked(opened: Site) -> None:
    page = opened.get(f"{PAGE}?q=raining+dry").text

    assert "Is it <mark>raining</mark> in Lisbon?" in page
    assert "No, it is <mark>dry</mark>." in page
    assert f'<a href="{HOME}/exchange/11">gpt-4o</a>' in page
    assert page.count("<mark>") == 4


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ({"q": "raining"}, [13, 12, 11, 1]),
        ({"q": "raining", "model": "gpt-5"}, [12]),
        ({"q": "raining", "cassette": "other"}, [12]),
        ({"q": "raining", "since": "7d"}, [12, 11, 1]),
        ({"q": "raining", "before": "12"}, [11, 1]),
        ({"q": "raining", "since": "bogus", "before": "x"}, [13, 12, 11, 1]),
        ({"q": '"raining in" -lisbon'}, [12]),
        ({"q": "oslo", "model": "no such"}, []),
    ],
)
def test_it_can_be_narrowed_by_its_url(
    opened: Site, args: dict[str, str], expected: list[int]
) -> None:
    assert ids(opened, **args) == expected


def test_more_than_a_page_goes_on_at_older(tmp_path: Path) -> None:
    path = write(tmp_path / "a.db", *(asking(f"rain {number}") for number in range(45)))
    search.catch_up(path)

    with site(path) as opened:
        url, found = f"{PAGE}?q=rain", []
        while True:
            page = opened.get(url).text
            found += [int(number) for number in re.findall(r'/exchange/(\d+)">gpt-4o', page)]
            following = re.search(r'rel="next" href="([^"]*)"', page)
            if following is None:
                break
            url = following[1].replace("&amp;", "&")

    assert found == list(range(45, 0, -1))


def test_the_box_is_on_every_page_and_leads_here(opened: Site) -> None:
    for url in (HOME, f"{HOME}/exchange/1", "/replayproxy/exchanges", "/nothing"):
        assert f'action="{PAGE}"' in opened.get(url).text, url


def test_without_words_it_says_how_to_search(opened: Site) -> None:
    assert "one after the other" in opened.text(PAGE)
    assert "There is no word in that." in opened.text(f"{PAGE}?q=%22%22")
    assert "Nothing found. Search everywhere" in opened.text(f"{PAGE}?q=raining&model=none")


def test_what_is_not_yet_indexed_is_told(tmp_path: Path) -> None:
    with site(write(tmp_path / "a.db", asking("rain"))) as opened:
        assert "1 exchange is not indexed yet" in opened.text(f"{PAGE}?q=rain")


@pytest.mark.parametrize("text", HOSTILES)
def test_hostile_text_stays_text(opened: Site, text: str) -> None:
    for said in ("img", "script", "red", "7"):
        page = opened.get(f"{PAGE}?{urlencode({'q': said, 'model': text, 'cassette': text})}").text
        assert "<img src=x" not in page
        assert not re.search(r"<script(?![^>]*\bnonce=)", page)
        page = opened.get(f"{PAGE}?{urlencode({'q': f'{text} {said}'})}").text
        assert "<img src=x" not in page
        assert not re.search(r"<script(?![^>]*\bnonce=)", page)
    assert "\x1b" not in opened.text(f"{PAGE}?q=31mred")


def test_what_marks_a_match_cannot_be_brought_by_a_text(tmp_path: Path) -> None:
    path = write(tmp_path / "a.db", asking("\ue000forged\ue001 rain"))
    search.catch_up(path)

    with site(path) as opened:
        page = opened.get(f"{PAGE}?q=rain").text

    assert page.count("<mark>") == 1
    assert "<mark>rain</mark>" in page


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(typed=st.one_of(st.text(), st.text('"*-:^()+{},\0 ORANDa')))
def test_nothing_that_is_typed_is_an_error(opened: Site, typed: str) -> None:
    query = urlencode({"q": typed.encode("utf-8", "replace")})

    assert opened.get(f"{PAGE}?{query}").status_code == 200
    assert opened.get(f"{PAGE}.json?{query}").status_code == 200


def test_json_says_how_it_goes_on(tmp_path: Path) -> None:
    path = write(tmp_path / "a.db", *(asking(f"rain {number}") for number in range(21)))
    search.catch_up(path)

    with site(path) as opened:
        first = opened.get(f"{PAGE}.json?q=rain").json()
        last = opened.get(f"{PAGE}.json?{first['next']}").json()

    assert (first["ok"], first["not_yet_indexed"], first["next"]) == (True, 0, "q=rain&before=2")
    assert first["rows"][0]["prompt"] == "rain 20"
    assert ([row["id"] for row in last["rows"]], last["next"]) == ([1], None)
    assert json.dumps(first).isascii()


def test_the_page_says_what_it_shows(opened: Site) -> None:
    assert "exchange 12" in words(opened.get(f"{PAGE}?q=oslo").text)
