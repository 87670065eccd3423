"""What tells an open page that it would look different by now."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from replayproxy.model import Ending
from replayproxy.store import Writer
from tests.builders import asking, eventually
from tests.dashboards.sample import MS, Said, data, delta, record, replay, stream, write
from tests.dashboards.site import HOME, Site, site

NEWS = f"{HOME}/news.json"


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    writer = Writer(tmp_path / "a.db")
    yield writer
    writer.close()


def news(opened: Site, url: str = NEWS) -> dict[str, Any]:
    found = opened.get(url)
    assert found.status_code == 200
    assert found.headers["cache-control"] == "no-store"
    answer: dict[str, Any] = found.json()
    return answer


def shown(opened: Site, url: str) -> tuple[str, str] | None:
    told = r'data-news="([^"]*)" data-newest="\d+" data-url="([^"]*)"'
    found = re.search(told, opened.get(url).text)
    return (found[1], found[2]) if found else None


def test_a_page_begins_with_the_news_it_shows(writer: Writer, tmp_path: Path) -> None:
    record(writer, Said())
    eventually(lambda: writer.recorded == 1)

    with site(tmp_path / "a.db") as opened:
        assert shown(opened, HOME) == (news(opened)["stamp"], NEWS)
        assert shown(opened, f"{HOME}?range=7d") == (news(opened)["stamp"], NEWS)


def test_whatever_begins_ends_or_is_replayed_is_news(writer: Writer, tmp_path: Path) -> None:
    with site(tmp_path / "a.db") as opened:
        stamps = [news(opened)["stamp"]]
        tape = writer.record(asking("hello"), started_at=Said().started_at, cassette="default")
        eventually(lambda: news(opened)["newest"] == 1)
        stamps.append(news(opened)["stamp"])
        tape.end(Ending.CLIENT_CLOSED, 5 * MS)
        eventually(lambda: not news(opened)["running"])
        stamps.append(news(opened)["stamp"])
        replay(tmp_path / "a.db", "miss")
        stamps.append(news(opened)["stamp"])
        again = news(opened)["stamp"]

    assert len(set(stamps)) == 4
    assert again == stamps[-1]


def test_a_stream_that_grows_is_news_until_it_has_ended(writer: Writer, tmp_path: Path) -> None:
    url = f"{HOME}/exchange/1"
    noscript = '<noscript><meta http-equiv="refresh" content="5"></noscript>'
    with site(tmp_path / "a.db") as opened:
        record(writer, Said(ending=None, chunks=stream(["one", "two", "three"])[:2]))
        tape = next(iter(eventually(lambda: list(writer._spools))))
        eventually(lambda: "one" in opened.get(url).text)
        first, before = shown(opened, url), opened.get(url).text
        tape.chunk(500 * MS, delta(content="and more"))
        eventually(lambda: news(opened, f"{url}/news.json")["stamp"] != (first or ("",))[0])
        eventually(lambda: "and more" in opened.get(url).text)
        tape.chunk(600 * MS, delta(finish_reason="stop") + data({}) + b"data: [DONE]\n\n")
        tape.end(Ending.FINISHED, 601 * MS)
        eventually(lambda: not news(opened, f"{url}/news.json")["running"])

        assert first is not None
        assert noscript in before
        assert noscript not in opened.get(url).text
        assert first[1] == f"{url}/news.json"
        assert "data-in-flight" not in opened.get(url).text
        assert shown(opened, url) is None


def test_an_exchange_that_is_gone_has_no_news(tmp_path: Path) -> None:
    with site(write(tmp_path / "a.db", Said())) as opened:
        assert opened.get(f"{HOME}/exchange/9/news.json").status_code == 404


def test_a_table_of_datasettes_asks_for_nothing(tmp_path: Path) -> None:
    with site(write(tmp_path / "a.db", Said())) as opened:
        assert shown(opened, "/replayproxy/exchanges") is None
        assert shown(opened, f"{HOME}/exchange/1") is None
