"""The overview's card of replays: how many hit, and why the latest missed."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.dashboards.sample import HOSTILES, Said, replay, with_hostile_misses, write
from tests.dashboards.site import HOME, site, words

WHY = "cassette 'default' has no exchange for this gpt-4o request. The closest, exchange 2, differs"


def test_hits_and_misses_are_counted_and_the_latest_misses_told(tmp_path: Path) -> None:
    path = write(tmp_path / "a.db", Said(), Said())
    replay(path, "hit", "hit", exchange_id=1)
    replay(path, "hit", exchange_id=1, normalized=("$.id",))
    replay(path, "miss", closest_id=2, message=WHY)
    replay(path, "error", message="all were played")

    with site(path) as opened:
        page, text = opened.get(HOME).text, opened.text(HOME)

    assert "3 hits (1 by rules) · 1 miss · 1 error" in text
    assert f"gpt-4o {WHY} 2" in text
    assert f'<a href="{HOME}/exchange/2">2</a>' in page
    assert text.index("all were played") < text.index(WHY)


@pytest.mark.parametrize(
    ("results", "words"),
    [
        ((), "Nothing was replayed in this range."),
        (("hit",), "1 hit · 0 misses SQL JSON CSV Every request was answered."),
    ],
)
def test_where_nothing_missed_it_says_so(
    results: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.db", Said())
    replay(path, *results)  # type: ignore[arg-type]

    with site(path) as opened:
        assert words in opened.text(HOME)


def test_range_and_model_choose_the_replays_too(tmp_path: Path) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=20)
    path = write(tmp_path / "a.db", Said(started_at=long_ago))
    replay(path, "miss", message="an old miss", replayed_at=long_ago)
    replay(path, "miss", message="a new miss")

    with site(path) as opened:
        a_day, another = opened.text(f"{HOME}?range=24h"), opened.text(f"{HOME}?range=30d&model=x")
        both = opened.text(f"{HOME}?range=30d")

    assert "No exchange in this range" in a_day
    assert ("an old miss" in a_day, "a new miss" in a_day) == (False, True)
    assert "Nothing was replayed in this range." in another
    assert "2 misses" in both


def test_a_miss_like_nothing_recorded_has_no_link(tmp_path: Path) -> None:
    path = write(tmp_path / "a.db", Said())
    replay(path, "miss", message="It holds nothing.", path="/v1/x", request_model=None)

    with site(path) as opened:
        assert "/v1/x It holds nothing. –" in opened.text(HOME)


def test_what_a_client_wrote_is_text_and_nothing_else(tmp_path: Path) -> None:
    path = with_hostile_misses(write(tmp_path / "a.db", Said()))

    with site(path) as opened:
        overview = opened.get(HOME).text
        tables = [opened.get(f"/replayproxy/{name}").text for name in ("replays", "misses")]

    assert not any(hostile in overview for hostile in HOSTILES)
    assert not any(HOSTILES[0] in page or HOSTILES[1] in page for page in tables)
    assert HOSTILES[0] in words(overview)


def test_the_closest_exchange_of_a_row_leads_to_its_page(tmp_path: Path) -> None:
    path = write(tmp_path / "a.db", Said())
    replay(path, "miss", closest_id=1, message="why")

    with site(path) as opened:
        page = opened.get("/replayproxy/misses").text

    assert f'<a href="{HOME}/exchange/1">1</a>' in page
