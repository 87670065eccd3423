"""One exchange's page: what is beside its conversation, and the kinds there are."""

import base64
import json
import re
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import vl_convert
from datasette.database import Database

from replayproxy.dashboard import build
from replayproxy.recording import Policy
from replayproxy.store import Store, Writer
from replayproxy.store.replay_log import Replayed, ReplayLog
from replayproxy.telemetry.spans import Playing
from tests.dashboards.sample import (
    HOSTILES,
    Said,
    data,
    delta,
    hostile,
    record,
    replay,
    stream,
    write,
)
from tests.dashboards.site import HOME, Site, site

PNG = vl_convert.vegalite_to_png({"mark": "bar", "data": {"values": [{"a": 1}]}})
PNG_URI = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
SVG_URI = f"data:image/svg+xml;base64,{base64.b64encode(b'<svg onload=alert(1) />').decode()}"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
JSON = (("content-type", "application/json"),)


def shown(folder: Path, *exchanges: Said, number: int = 1) -> tuple[str, str]:
    """The page and its text."""
    with site(write(folder / "a.db", *exchanges)) as opened:
        url = f"{HOME}/exchange/{number}"
        return opened.get(url).text, opened.text(url)


def answered(body: object, **more: Any) -> Said:
    return Said(
        response_headers=JSON, chunks=[(90, json.dumps(body).encode())], **{"path": "/v1/x", **more}
    )


# -- usage and cost --------------------------------------------------------------------------------


def test_a_cost_is_taken_apart_beside_what_is_reported(tmp_path: Path) -> None:
    said = Said(host="api.openai.com", chunks=stream(["a"], cost=0.0005, usage=(1000, 100)))

    _, text = shown(tmp_path, said)

    assert "input 500 $2.5 / M $0.00125" in text
    assert "input, from the cache 500 $1.25 / M $0.000625" in text
    assert "output 100 $10 / M $0.001" in text
    assert "computed $0.002875" in text
    assert "reported by the provider $0.0005" in text
    assert "reported − computed −$0.002375" in text
    assert "Prices of openai/gpt-4o, genai-prices" in text
    assert "What the provider reports counts." in text


def test_a_cost_that_was_computed_with_another_list_says_so(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.db",
        Said(host="api.openai.com", chunks=stream(["a"], cost=None, usage=(1000, 100))),
    )
    with sqlite3.connect(path) as connection:
        connection.execute(
            "UPDATE exchanges SET price_version = 'genai-prices 0.0.1', computed_cost_usd = 7"
        )
    connection.close()

    with site(path) as opened:
        text = opened.text(f"{HOME}/exchange/1")

    assert "It was recorded with genai-prices 0.0.1, and came to $7 then." in text


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (Said(model="nobody-knows-it", chunks=stream(["a"], cost=None)), "No price list knows"),
        (Said(chunks=[(9, delta(content="a"))]), "did not say how many tokens went in"),
        (
            Said(host="api.openai.com", chunks=stream(["a"], cost=None, usage=(5, -1))),
            "makes no sense",
        ),
    ],
)
def test_why_there_is_no_cost_is_said(said: Said, words: str, tmp_path: Path) -> None:
    _, text = shown(tmp_path, said)

    assert words in text


def test_a_price_files_rates_are_not_invented(tmp_path: Path) -> None:
    path = write(tmp_path / "a.db", Said(chunks=stream(["a"], cost=None)))
    with sqlite3.connect(path) as connection:
        connection.execute(
            "UPDATE exchanges SET cost_usd = 2, computed_cost_usd = 2, cost_source = 'price-file',"
            " price_version = 'mine.toml 0123456789ab', price_model = '*/gpt-*'"
        )
    connection.close()

    with site(path) as opened:
        text = opened.text(f"{HOME}/exchange/1")

    assert "computed $2 at the prices of */gpt-*, mine.toml 0123456789ab" in text
    assert "The rates of a price file are not in the database" in text


# -- spans, replays, traces ------------------------------------------------------------------------


def played(path: Path, *, late_ms: float, duration_ms: int) -> None:
    """A replay of exchange 1, with its span."""
    with Store(path) as store:
        exchange = store.exchange(1)
    now = datetime.now(UTC)
    log = ReplayLog(path)
    log.add(
        Replayed(
            replayed_at=now,
            cassette="default",
            session="",
            result="hit",
            method="POST",
            host="127.0.0.1",
            path="/v1/chat/completions",
            exchange_id=1,
            late_ms=late_ms,
            normalized=("$.id",),
            exchange=exchange,
            playing=Playing(
                started_at=now - timedelta(milliseconds=duration_ms),
                duration_ns=duration_ms * 1_000_000,
            ),
        )
    )
    log.close()


def test_a_replay_is_told_beside_what_was_recorded(tmp_path: Path) -> None:
    path = write(tmp_path / "a.db", Said(chunks=stream(["a", "b"], first_ms=300, gap_ms=100)))
    played(path, late_ms=1.25, duration_ms=503)

    with site(path) as opened:
        page, text = opened.get(f"{HOME}/exchange/1").text, opened.text(f"{HOME}/exchange/1")

    assert "503 ms 501 ms 1.2 ms $.id" in text
    assert "Span of a replay" in text
    assert "replayproxy.replayed true" in text
    assert "replayproxy.avoided.cost.usd 0.0012" in text
    assert "/replayproxy/replays?exchange_id=1" in page


def test_its_span_is_shown_with_attributes_events_and_trace(tmp_path: Path) -> None:
    page, text = shown(tmp_path, Said(headers=(("traceparent", TRACEPARENT),)))

    assert "/replayproxy/spans?exchange_id=1" in page
    assert TRACE in text
    assert "parent 00f067aa0ba902b7" in text
    assert "gen_ai.request.model gpt-4o" in text
    assert 'gen_ai.response.finish_reasons ["stop"]' in text
    assert "first_chunk 260 ms" in text


def test_exchanges_of_one_trace_are_drawn_together(tmp_path: Path) -> None:
    started = datetime.now(UTC) - timedelta(minutes=1)
    headers = (("traceparent", TRACEPARENT),)

    page, _ = shown(
        tmp_path,
        Said(headers=headers, started_at=started),
        Said(headers=headers, started_at=started + timedelta(seconds=2), status=500, chunks=()),
        Said(started_at=started),
    )

    assert page.count('class="marks"') == 2
    assert 'aria-label="exchange 2: chat gpt-4o' in page
    assert f'href="{HOME}/exchange/2"' in page
    assert 'aria-label="exchange 3: chat' not in page


def test_an_exchange_without_spans_or_replays_has_no_such_sections(tmp_path: Path) -> None:
    path = write(tmp_path / "a.db", Said(ending=None))

    with site(path) as opened:
        text = opened.text(f"{HOME}/exchange/1")

    assert "Replays of this exchange" not in text


# -- what to compare it with -----------------------------------------------------------------------


def test_it_can_be_compared_with_the_same_request_and_the_same_model(tmp_path: Path) -> None:
    other = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Another."}]}
    elsewhere = Said(cassette="other")
    path = write(tmp_path / "a.db", Said(), Said(request=other), Said(model="m"), Said(), elsewhere)

    with site(path) as opened:
        first, last, another = (opened.get(f"{HOME}/exchange/{n}").text for n in (1, 4, 5))

    assert f'{HOME}/compare?a=1&amp;b=4">with the same request before:' in last
    assert f'{HOME}/compare?a=2&amp;b=4">with the same model before:' in last
    assert f'{HOME}/compare?a=4&amp;b=1">with the same request after:' in first
    assert f'{HOME}/compare?a=5&amp;b=1">with the same request in another cassette:' in first
    assert f'{HOME}/compare?a=4&amp;b=5">with the same request in another cassette:' in another
    assert "with the same request before:" not in another
    assert "with the same model before:" not in first


def test_what_was_recorded_from_a_replay_leads_to_what_answered(tmp_path: Path) -> None:
    headers = (("content-type", "text/event-stream"), ("x-replayproxy-exchange", "1"))

    page, _ = shown(tmp_path, Said(), Said(model="m", response_headers=headers), number=2)

    assert f'{HOME}/compare?a=1&amp;b=2">with what the replay answered from:' in page


# -- pictures --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pictured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    parts = [
        {"type": "image_url", "image_url": {"url": PNG_URI}},
        {"type": "image_url", "image_url": {"url": SVG_URI}},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
    ]
    claude = {"type": "base64", "media_type": "image/png", "data": PNG_URI.partition(",")[2]}
    asked = {
        "model": "m",
        "messages": [
            {"role": "user", "content": parts},
            {"role": "user", "content": [{"type": "image", "source": claude}]},
        ],
    }
    made = {"data": [{"b64_json": PNG_URI.partition(",")[2]}]}
    path = tmp_path_factory.mktemp("pictured") / "a.db"
    write(path, Said(request=asked), answered(made, path="/v1/images/generations"))
    with site(path) as opened:
        yield opened


def test_a_picture_is_shown_from_a_route_of_ours(pictured: Site) -> None:
    page = pictured.get(f"{HOME}/exchange/1").text

    sources = re.findall(r'<img src="([^"]*)"', page)
    assert len(sources) == 2
    assert len(set(sources)) == 1
    assert all(re.fullmatch(rf"{HOME}/exchange/1/request/picture/\w{{16}}", s) for s in sources)
    response = pictured.get(sources[0])
    assert response.content == PNG
    assert response.headers["content-type"] == "image/png"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["content-security-policy"] == "default-src 'none'; sandbox"


def test_svg_and_addresses_are_notes(pictured: Site) -> None:
    text = pictured.text(f"{HOME}/exchange/1")

    assert re.search(r"image url: image/svg\+xml, \d+ characters inline", text)
    assert "image url: https://example.com/a.png" in text


def test_a_picture_that_was_made_is_shown_too(pictured: Site) -> None:
    page = pictured.get(f"{HOME}/exchange/2").text
    (source,) = re.findall(r'<img src="([^"]*)"', page)

    assert pictured.get(source).content == PNG


@pytest.mark.parametrize(
    "rest",
    [
        "1/request/picture/" + "0" * 16,
        "1/response/picture/" + "0" * 16,
        "99/request/picture/" + "0" * 16,
    ],
)
def test_any_other_picture_is_not_there(rest: str, pictured: Site) -> None:
    assert pictured.get(f"{HOME}/exchange/{rest}").status_code == 404


# -- kinds of exchanges ----------------------------------------------------------------------------


def test_gemini(tmp_path: Path) -> None:
    asked = {
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "tools": [{"functionDeclarations": [{"name": "look"}, {"name": "find"}]}],
        "contents": [
            {"role": "user", "parts": [{"text": "Look."}]},
            {"role": "model", "parts": [{"functionCall": {"name": "look", "args": {"a": 1}}}]},
            {
                "role": "user",
                "parts": [{"functionResponse": {"name": "look", "response": {"seen": True}}}],
            },
        ],
    }
    reply = {"candidates": [{"content": {"role": "model", "parts": [{"text": "A cat."}]}}]}

    _, text = shown(
        tmp_path,
        Said(
            request=asked,
            path="/v1beta/models/gemini-2.5-pro:streamGenerateContent",
            chunks=[(90, data(reply))],
        ),
    )

    assert "system Be brief. user Look. assistant calls look" in text
    assert '"seen": true' in text
    assert "tools look, find" in text
    assert "A cat." in text
    assert "text A cat." in text


def test_embeddings(tmp_path: Path) -> None:
    vectors = [{"embedding": [0.25, -0.5, 0.125, 1, 2]}, {"embedding": [1, 2, 3]}]

    _, text = shown(
        tmp_path,
        answered(
            {"data": vectors},
            path="/v1/embeddings",
            request={"model": "text-embedding-3-small", "input": ["one", "two"]},
        ),
    )

    assert "user one user two" in text
    assert "5 numbers: 0.25, -0.5, 0.125, 1, …" in text
    assert "3 numbers: 1, 2, 3" in text


def test_audio_in_and_out(tmp_path: Path) -> None:
    parts = [{"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}]
    asked = {"model": "m", "messages": [{"role": "user", "content": parts}]}
    speech = Said(
        path="/v1/audio/speech",
        request={"model": "tts", "input": "Read this.", "voice": "alloy"},
        response_headers=(("content-type", "audio/mpeg"),),
        chunks=[(90, b"\xff\xfb" * 900)],
    )
    path = write(
        tmp_path / "a.db",
        Said(request=asked),
        speech,
        answered({"text": "What was said."}, path="/v1/audio/transcriptions"),
    )

    with site(path) as opened:
        asked_text, spoken, heard = (opened.text(f"{HOME}/exchange/{n}") for n in (1, 2, 3))

    assert "input audio: wav, 8 characters inline" in asked_text
    assert "user Read this." in spoken
    assert "audio: audio/mpeg, 1.80 kB" in spoken
    assert "answer What was said." in heard


def test_several_choices(tmp_path: Path) -> None:
    choices = [{"index": n, "delta": {"content": f"Answer {n}."}} for n in range(3)]

    _, text = shown(tmp_path, Said(chunks=[(90, data({"choices": choices}))]))

    assert "choice 1 Answer 1." in text
    assert "text 2 Answer 2." in text


def test_a_hundred_thousand_chunks_and_one_of_eight_megabytes_make_no_huge_page(
    tmp_path: Path,
) -> None:
    path = write(
        tmp_path / "a.db",
        Said(chunks=[(n / 100, delta(content="word ")) for n in range(100_000)]),
        Said(chunks=[(9, delta(content="word " * 1_600_000))]),
    )

    with site(path) as opened:
        many, long = (opened.get(f"{HOME}/exchange/{n}") for n in (1, 2))
        rest = opened.get(f"{HOME}/exchange/1/chunks?first=99990")
        beyond = opened.text(f"{HOME}/exchange/1/chunks?first=100000")

    assert len(many.text) < 1_000_000
    assert "This is what the first 20,000 of 100,000 chunks say" in " ".join(many.text.split())
    assert f"{HOME}/exchange/1/chunks?first=100" in many.text
    assert len(long.text) < 300_000
    assert 'id="chunk-99999"' in rest.text
    assert 'id="chunk-99989"' not in rest.text
    assert "<b>text</b> word" in rest.text
    assert "none from 100,000 on" in beyond


def test_pages_of_chunks_follow_each_other(tmp_path: Path) -> None:
    chunks = [(float(n), delta(content=f"w{n} ")) for n in range(450)]

    with site(write(tmp_path / "a.db", Said(chunks=chunks))) as opened:
        middle = opened.get(f"{HOME}/exchange/1/chunks?first=200").text
        strange = opened.text(f"{HOME}/exchange/1/chunks?first=x")

    assert f'rel="prev" href="{HOME}/exchange/1/chunks?first=0"' in middle
    assert f'rel="next" href="{HOME}/exchange/1/chunks?first=400"' in middle
    assert "0 to 199 of 450" in strange


def test_without_its_body_it_says_that_commands_send_none(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "a.db", policy=Policy(keep_bodies=False))
    record(writer, Said())
    writer.close()

    with site(tmp_path / "a.db") as opened:
        text = opened.text(f"{HOME}/exchange/1")

    assert "The body was not stored: these commands send none." in text
    assert "It cannot be replayed" in text
    assert "206 / 229 tokens in / out" in text


# -- what holds for all ----------------------------------------------------------------------------


@pytest.mark.parametrize("text", HOSTILES)
def test_hostile_text_stays_text_everywhere_on_the_page(text: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.db", hostile(text))
    replay(path, "hit", exchange_id=1, normalized=(text,), session=text)

    with site(path) as opened:
        pages = [
            opened.get(f"{HOME}/exchange/1{rest}").text
            for rest in ("", "/chunks", "?database=" + "replayproxy")
        ]

    for page in pages:
        assert "<img src=x" not in page
        assert "document.title='PWNED'</script>" not in page
        assert "\x1b" not in page
        assert "\u202e" not in page
        assert not re.search(r"<script(?![^>]*\bnonce=)", page)


def test_headings_and_landmarks_are_in_order(tmp_path: Path) -> None:
    page, _ = shown(tmp_path, Said(), Said())

    levels = [int(level) for level in re.findall(r"<h([1-6])", page)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    names = re.findall(r'aria-labelledby="([^"]*)"', page)
    assert names
    assert all(f'id="{name}"' in page for name in names)
    ids = re.findall(r'\bid="([^"]*)"', page)
    assert len(ids) == len(set(ids))


def test_another_database_that_is_open_has_pages_too(tmp_path: Path) -> None:
    first = write(tmp_path / "first.db", Said(model="in-the-first"))
    other = write(tmp_path / "other.db", Said(), Said(model="in-the-other"))
    opened = Site(first)
    try:
        datasette = opened.datasette
        datasette.add_database(Database(datasette, str(other), is_mutable=True), name="other")

        page = opened.get(f"{HOME}/exchange/2?database=other").text
        both = opened.text(f"{HOME}/compare?a=1&b=2&b_database=other")
        linked = opened.get(f"{HOME}/compare?a=1&b=2&b_database=other").text
    finally:
        opened.close()

    assert "in-the-other" in page
    assert f'href="{HOME}/exchange/1?database=other"' in page
    assert 'name="b_database" value="other"' in page
    assert "request model in-the-first in-the-other differs" in both
    assert f'href="{HOME}/exchange/2?database=other"' in linked


def test_a_database_of_somebody_elses_has_no_pages(tmp_path: Path) -> None:
    strange = tmp_path / "strange.db"
    with sqlite3.connect(strange) as connection:
        connection.execute("CREATE TABLE exchanges (id)")
    connection.close()
    datasette = build(write(tmp_path / "a.db", Said()))

    assert "strange" not in datasette.databases
    with site(tmp_path / "a.db") as opened:
        assert opened.get(f"{HOME}/exchange/1?database=strange").status_code == 404
