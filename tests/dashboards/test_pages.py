"""The pages, on real databases, through the real Datasette application."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from replayproxy.model import Ending
from replayproxy.store import Writer
from tests.dashboards.sample import (
    HOSTILES,
    TOOLS_REQUEST,
    Said,
    record,
    stream,
    tool_answer,
    with_hostile_misses,
    write,
)
from tests.dashboards.sample import varied as varied_exchanges
from tests.dashboards.site import HOME, QUERY_NAMES, TABLES, VIEWS, Site, site, words

CHART = 'class="marks"'


@pytest.fixture(scope="module")
def varied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    path = tmp_path_factory.mktemp("varied") / "any name.db"
    with site(with_hostile_misses(write(path, *varied_exchanges()))) as opened:
        yield opened


def test_the_index_leads_to_the_overview(varied: Site) -> None:
    response = varied.get("/")

    assert response.status_code == 302
    assert response.headers["location"] == HOME


def test_the_overview_counts_cost_tokens_latency_and_errors(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.db",
        Said(chunks=stream(["a"], first_ms=200, cost=0.25, usage=(1000, 50))),
        Said(chunks=stream(["a"], first_ms=400, cost=0.5, usage=(1000, 50)), model="gpt-5"),
        Said(status=500, chunks=[(50, b"oops")]),
    )

    with site(path) as opened:
        page = opened.text(HOME)

    assert "$0.75 cost" in page
    assert "3 exchanges" in page
    assert "2.00k / 100 tokens in / out 50% of input cached" in page
    assert "200 ms time to first token, p50 p95 400 ms · p99 400 ms" in page
    assert "33.3% errors 1 of 3" in page


def test_the_overview_of_another_range_and_model_shows_only_that(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    path = write(
        tmp_path / "a.db",
        Said(model="old", started_at=now - timedelta(days=20)),
        Said(model="new", started_at=now - timedelta(minutes=1)),
        Said(model="new", started_at=now - timedelta(minutes=1)),
    )

    with site(path) as opened:
        assert "3 exchanges" in opened.text(HOME)
        assert "2 exchanges" in opened.text(f"{HOME}?range=24h")
        assert "1 exchange " in opened.text(f"{HOME}?range=all&model=old")
        assert "No exchange with the model old in this range" in opened.text(
            f"{HOME}?range=1h&model=old"
        )


@pytest.mark.parametrize("query", ["range=bogus", "range=1h&range=7d", "model=%00", "x=1"])
def test_an_overview_asked_for_in_a_strange_way_is_still_a_page(varied: Site, query: str) -> None:
    assert varied.get(f"{HOME}?{query}").status_code == 200


def test_every_chart_is_drawn_and_links_to_its_query_and_rows(varied: Site) -> None:
    page = varied.get(HOME).text

    assert page.count(CHART) == 6
    links = set(re.findall(r'href="(/replayproxy/\w+(?:\.json|\.csv)?\?[^"]*)"', page))
    for link in links:
        assert varied.get(link.replace("&amp;", "&")).status_code == 200, link
    assert {link.partition("?")[0] for link in links} >= {
        "/replayproxy/over_time",
        "/replayproxy/over_time.json",
        "/replayproxy/over_time.csv",
        "/replayproxy/latency_over_time.json",
        "/replayproxy/latency_distribution.json",
    }


def test_a_bar_leads_to_the_exchanges_it_stands_for(tmp_path: Path) -> None:
    path = write(tmp_path / "a.db", Said(model="a b&c"), Said(model="other"))

    with site(path) as opened:
        rows = opened.get(
            "/replayproxy/over_time.json?since=&model=&bucket=day&_shape=array"
        ).json()
        (row,) = [row for row in rows if row["series"] == "a b&c"]
        found = opened.get(f"/replayproxy/exchanges.json?{row['filter']}&_shape=array").json()

    assert [exchange["request_model"] for exchange in found] == ["a b&c"]


def test_an_empty_database_says_how_to_fill_it(tmp_path: Path) -> None:
    with site(write(tmp_path / "a.db")) as opened:
        page = opened.text(HOME)
        for url in ("/replayproxy", "/replayproxy/exchanges", "/replayproxy/chunks"):
            assert opened.get(url).status_code == 200

    assert "Nothing recorded yet" in page
    assert "replayproxy record --db" in page


def test_an_exchange_is_shown_as_a_conversation(varied: Site) -> None:
    page = varied.text(f"{HOME}/exchange/1")

    assert "You answer questions about the weather." in page
    assert "image url: image/png" in page
    assert 'calls get_weather { "city": "Lisbon" }' in page
    assert '"wind": { "from": "NW", "kmh": 18 }' in page
    assert "Reasoning, 52 characters" in page
    assert "No, it is dry in Lisbon. Let me look at tomorrow as well." in page
    assert 'calls get_weather { "city": "Lisbon", "day": 1 }' in page
    assert "690 ms time to first token headers 120 ms first chunk 420 ms" in page
    assert "$0.00267 cost reported" in page
    assert "12 chunks" in page
    assert "1 stalled" in page


def test_an_exchanges_stream_is_drawn_and_tabulated(varied: Site) -> None:
    page = varied.get(f"{HOME}/exchange/1").text

    assert page.count(CHART) == 1
    assert (
        'aria-label="chunk 5: 1.90 s, 1.18 s after the one before, a stall, 130 B · so far: '
        in page
    )
    assert "+1180.000" in page


def test_neighbouring_exchanges_are_linked(varied: Site) -> None:
    page = varied.get(f"{HOME}/exchange/2").text

    assert f'rel="prev" href="{HOME}/exchange/1"' in page
    assert f'rel="next" href="{HOME}/exchange/3"' in page
    assert 'rel="prev"' not in varied.get(f"{HOME}/exchange/1").text


@pytest.mark.parametrize("exchange_id", ["999", str(2**63), "9" * 60])
def test_an_unknown_exchange_is_a_clear_404(varied: Site, exchange_id: str) -> None:
    response = varied.get(f"{HOME}/exchange/{exchange_id}")

    assert response.status_code == 404
    assert "There is no" in words(response.text)
    assert varied.get(f"{HOME}/exchange/{exchange_id}/response").status_code == 404


def test_exchanges_that_went_wrong_say_why(varied: Site) -> None:
    assert "client closed" in varied.text(f"{HOME}/exchange/2")
    assert "reset" in varied.text(f"{HOME}/exchange/3")
    assert "connection refused" in varied.text(f"{HOME}/exchange/4")
    assert "Rate limit reached" in varied.text(f"{HOME}/exchange/5")


def test_bodies_that_are_no_text_are_named_and_offered_as_bytes(varied: Site) -> None:
    page = varied.text(f"{HOME}/exchange/6")
    request = varied.get(f"{HOME}/exchange/6/request")
    response = varied.get(f"{HOME}/exchange/6/response")

    assert "Not text: 900 B." in page
    assert request.content == b"\x00\x01\x02" * 300
    assert response.content == bytes(range(256)) * 40 + b"\xff\xfb" * 900
    assert response.headers["content-type"] == "application/octet-stream"
    assert response.headers["content-disposition"].startswith("attachment")
    assert response.headers["content-security-policy"] == "default-src 'none'; sandbox"


def test_a_request_that_is_no_json_is_shown_raw(varied: Site) -> None:
    page = varied.text(f"{HOME}/exchange/7")

    assert "This is not a conversation that can be read" in page
    assert "not json {" in page


def test_an_exchange_in_flight_shows_what_has_come_so_far(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "a.db")
    try:
        chunks = stream(["half", "an", "answer"])[:3]
        record(writer, Said(ending=None, chunks=chunks))
        with site(tmp_path / "a.db") as opened:
            for _ in range(200):
                if len(opened.get("/replayproxy/exchanges.json?_shape=array").json()) == 1:
                    break
            page = opened.get(f"{HOME}/exchange/1").text
            overview = opened.text(HOME)
    finally:
        writer.close()

    assert "data-in-flight" in page
    assert "streaming" in words(page)
    assert "half an" in words(page)
    assert "1 in flight" in overview


def test_an_interrupted_exchange_is_shown_as_such(tmp_path: Path) -> None:
    path = write(tmp_path / "a.db", Said(ending=None, chunks=stream(["half"])[:2]))

    with site(path) as opened:
        assert "interrupted" in opened.text(f"{HOME}/exchange/1")


def test_a_long_stream_and_long_texts_are_cut_and_say_so(tmp_path: Path) -> None:
    asked = {"model": "m", "messages": [{"role": "user", "content": "x" * 100_000}]}
    chunks = [(float(ms), b"data: {}\n\n") for ms in range(9000)]

    with site(write(tmp_path / "a.db", Said(request=asked, chunks=chunks))) as opened:
        response = opened.get(f"{HOME}/exchange/1")

    page = words(response.text)
    assert "… 80,000 more characters; they are in the raw body." in page
    assert "The first 100 of 9,000. The others" in page
    assert "only its beginning is shown" in page
    assert len(response.text) < 2_500_000


def test_the_exchange_table_has_facets_and_leads_to_the_pages(varied: Site) -> None:
    page = varied.get("/replayproxy/exchanges").text

    for facet in ("request_model", "status", "outcome", "protocol", "cassette", "tag"):
        assert f'data-column="{facet}"' in page
    for exchange_id in range(1, 11):
        assert f'<a href="{HOME}/exchange/{exchange_id}">{exchange_id}</a>' in page
    assert page.index(f"{HOME}/exchange/10") < page.index(f'{HOME}/exchange/1"')


def test_the_exchange_table_shows_every_column_on_demand(varied: Site) -> None:
    header = '<th class="col-time_to_headers_ms"'

    assert header not in varied.get("/replayproxy/exchanges").text
    assert header in varied.get("/replayproxy/exchanges?_columns=all").text
    assert f'href="{HOME}/exchange/1"' in varied.get("/replayproxy/exchanges/1").text


def test_the_chunks_of_an_exchange_are_rows(varied: Site) -> None:
    rows = varied.get("/replayproxy/chunks.json?exchange_id=1&_shape=array&_size=max").json()

    assert [row["offset_ms"] for row in rows][:3] == [420.0, 500.0, 560.0]
    assert (
        f'<a href="{HOME}/exchange/1">1</a>' in varied.get("/replayproxy/chunks?exchange_id=1").text
    )


@pytest.mark.parametrize("name", [*TABLES[2:], *VIEWS])
def test_every_table_and_view_can_be_browsed(varied: Site, name: str) -> None:
    for suffix in ("", ".json", ".csv"):
        assert varied.get(f"/replayproxy/{name}{suffix}").status_code == 200


@pytest.mark.parametrize("name", QUERY_NAMES)
def test_every_named_query_runs_with_and_without_parameters(varied: Site, name: str) -> None:
    for arguments in ("", "?since=&model=&bucket=hour", "?since=2020&model=gpt-4o&bucket=month"):
        assert varied.get(f"/replayproxy/{name}{arguments}").status_code == 200
    rows = varied.get(f"/replayproxy/{name}.json?since=&model=&bucket=day&_shape=array").json()
    assert rows


@pytest.mark.parametrize("text", HOSTILES)
def test_hostile_text_stays_text(varied: Site, text: str) -> None:
    ids = 8 + HOSTILES.index(text)
    urls = (
        HOME,
        f"{HOME}/exchange/{ids}",
        "/replayproxy/exchanges",
        f"/replayproxy/exchanges/{ids}",
    )
    for url in urls:
        page = varied.get(url).text
        assert "<img src=x" not in page, url
        assert "document.title='PWNED'</script>" not in page, url
        assert not re.search(r"<script(?![^>]*\bnonce=)", page), url
    assert varied.get(f"{HOME}/exchange/{ids}").status_code == 200


def test_control_characters_of_a_model_name_are_made_visible(varied: Site) -> None:
    page = varied.text(f"{HOME}/exchange/10")

    assert "␛[31mred␇�gpj.exe" in page
    assert "\x1b" not in page


def test_no_hostile_name_breaks_a_chart(tmp_path: Path) -> None:
    names = [*HOSTILES, "\ud83d", "\x00", "\ufffe", "$models", "a" * 5000, "'\"><&", "javascript:1"]
    asked = [json.dumps({"model": name, "messages": []}).encode() for name in names]
    path = write(tmp_path / "a.db", *(Said(request_body=body) for body in asked))

    with site(path) as opened:
        page = opened.get(f"{HOME}?range=1h").text

    assert page.count(CHART) == 6
    assert all(link.startswith("/") for link in re.findall(r'<a[^>]* xlink:href="([^"]*)"', page))


def test_pages_of_a_database_that_is_being_written_show_what_was_committed(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "a.db")
    try:
        with site(tmp_path / "a.db") as opened:
            assert "Nothing recorded yet" in opened.text(HOME)
            for _ in range(3):
                record(writer, Said(request=TOOLS_REQUEST, chunks=tool_answer()))
            record(writer, Said(ending=Ending.INTERRUPTED))
            writer.close()
            assert "4 exchanges" in opened.text(HOME)
    finally:
        writer.close()
