"""Cassettes as text: nothing is lost, nothing secret is kept, strangers' files do no harm."""

import gzip
import json
import zlib
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replayproxy.cassettes import Cassette, Track, dumps, loads
from replayproxy.errors import CassetteError
from replayproxy.model import Chunk, Ending, Exchange, Headers
from tests.builders import DONE, EVENTS, JSON, NOON, a_head, a_request, an_exchange, asking, says

CANARY = "sk-canary-0123456789abcdef0123456789abcdef"


def a_track(*pieces: bytes, headers: Headers = EVENTS, **given: Any) -> Track:
    """A whole exchange whose pieces came 1.5 ms apart."""
    found = tuple(Chunk(offset_ns=i * 1_500_000, data=data) for i, data in enumerate(pieces, 1))
    end = found[-1].offset_ns if found else 1_000
    exchange = an_exchange(head=a_head(headers=headers), end_offset_ns=end, **given)
    return Track(exchange=exchange, chunks=found)


def text_of(*tracks: Track) -> str:
    return dumps(Cassette(tracks=tracks))


def back(*tracks: Track) -> tuple[Track, ...]:
    return loads(text_of(*tracks)).cassette.tracks


def seen(exchange: Exchange) -> Exchange:
    """Only what was seen on the wire; the rest is derived."""
    return Exchange(
        started_at=exchange.started_at,
        request=exchange.request,
        head=exchange.head,
        ending=exchange.ending,
        error=exchange.error,
        end_offset_ns=exchange.end_offset_ns,
        cost_usd=exchange.cost_usd,
        cost_source=exchange.cost_source,
    )


# -- what a reviewer sees ----------------------------------------------------------------------


def test_a_stream_reads_like_what_was_said() -> None:
    text = text_of(a_track(says("Hel"), says("lo\n"), DONE, request=asking("two\nlines")))

    assert "        content: |-\n          two\n          lines\n" in text
    assert "    - a: Hel\n    - a: lo\\n\n    - 'data: [DONE]'\n" in text
    assert "    chunks: 1.5 1.5 1.5\n" in text


def test_json_is_shown_by_its_value_whatever_its_length() -> None:
    body = json.dumps({"answer": ["a", 1.5, None]}).encode()
    headers = (*JSON, ("Content-Length", str(len(body))))

    text = text_of(a_track(body, headers=headers))

    assert "    spelling: spaced\n    json:\n      answer:\n      - a\n      - 1.5\n" in text
    assert "      Content-Length: auto\n" in text


def test_a_compressed_body_is_shown_decoded_and_restored_byte_for_byte() -> None:
    body = gzip.compress(b'{"said":"hello"}', mtime=1_790_000_000)
    track = a_track(body[:9], body[9:], headers=(*JSON, ("Content-Encoding", "gzip")))

    text = text_of(track)

    assert "      said: hello\n" in text
    assert "recompress: gzip 6 1f8b0800" in text
    assert back(track)[0].chunks == track.chunks


def test_what_no_recipe_compresses_the_same_way_keeps_its_wire_bytes() -> None:
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    pieces = [packer.compress(says(word)) + packer.flush(zlib.Z_SYNC_FLUSH) for word in "abc"]
    track = a_track(*pieces, packer.flush(), headers=(*EVENTS, ("Content-Encoding", "gzip")))

    text = text_of(track)

    assert "    - a: b\n" in text
    assert "recompress" not in text
    assert back(track)[0].chunks == track.chunks


def test_a_body_that_this_zlib_compresses_otherwise_still_says_the_same() -> None:
    body = gzip.compress(b'{"said":"hello"}', mtime=0)
    headers = (("Content-Encoding", "gzip"), ("Content-Length", str(len(body))), *JSON)
    text = text_of(a_track(body, headers=headers))
    other = text.replace("recompress: gzip 6", "recompress: gzip 0")

    loaded = loads(other, check=False)

    assert loaded.inexact == (1,)
    (track,) = loaded.cassette.tracks
    assert gzip.decompress(track.body) == b'{"said":"hello"}'
    assert track.exchange.head
    assert dict(track.exchange.head.headers)["Content-Length"] == str(len(track.body))


def test_what_is_cut_anywhere_stays_cut_there() -> None:
    whole = 'data: {"t":"\U0001f501"}\n\n'.encode() * 2
    track = a_track(whole[:3], whole[3:14], b"", whole[14:30], whole[30:], b": \xff\n\n")

    assert back(track)[0].chunks == track.chunks


# -- nothing is lost ---------------------------------------------------------------------------

PIECES = st.one_of(
    st.binary(max_size=30),
    st.sampled_from(
        [
            says("a"),
            says("b\n"),
            DONE,
            b"\n\n",
            b"\r\n\r\n",
            b"event: x\ndata: 1\n\n",
            b': \xe2\x80\xb9\xe2\x80\xba "\n\n',
            b'data: {"n":1,"d":"\\ud83d"}\n\n',
        ]
    ),
    st.text(max_size=20).map(str.encode),
    st.from_type(dict).map(lambda value: json.dumps(str(value)).encode()),
)
JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)
BODIES = st.one_of(
    st.lists(PIECES, max_size=8),
    st.builds(
        lambda value, ascii_only, indent: [
            json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "replace")
        ],
        JSON_VALUES,
        st.booleans(),
        st.sampled_from([None, 1, 2, 4]),
    ),
)
TOKENS = st.text("abcXYZ-", min_size=1, max_size=8)
HEADER_TEXT = st.text(
    st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=12
).map(str.strip)
KEPT = st.sampled_from(["x-request-id", "Date", "Content-Length", "accept"])
HEADERS = st.lists(st.tuples(KEPT, HEADER_TEXT), max_size=4).map(tuple)
TYPES: st.SearchStrategy[Headers] = st.sampled_from(
    [EVENTS, JSON, (), (*EVENTS, ("content-encoding", "gzip")), (*JSON, ("content-encoding", "br"))]
)
LATIN = st.text(st.characters(max_codepoint=255, exclude_characters="?"), max_size=12)


MOMENTS = st.integers(0, 250_000_000_000_000_000).map(
    lambda us: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)
)


@st.composite
def tracks(draw: st.DrawFn) -> Track:
    pieces: list[bytes] = draw(BODIES)
    headers = (*draw(TYPES), *draw(HEADERS))
    if ("content-encoding", "gzip") in headers and draw(st.booleans()):
        pieces = [gzip.compress(b"".join(pieces), draw(st.integers(0, 9)), mtime=0)]
    offset_ns, found = 0, []
    for data in pieces:
        offset_ns += draw(st.integers(0, 10**10))
        found.append(Chunk(offset_ns=offset_ns, data=data))
    exchange = an_exchange(
        started_at=draw(MOMENTS),
        request=a_request(
            method=draw(TOKENS),
            scheme=draw(st.sampled_from(["http", "https"])),
            host=draw(st.sampled_from(["a.example", "::1", "127.0.0.1", "Upper.example", ""])),
            port=draw(st.integers(0, 65535)),
            path="/" + draw(LATIN),
            query=draw(st.sampled_from(["", "a=1&b", "x=\xff"])),
            http_version=draw(st.sampled_from(["HTTP/1.1", "HTTP/2.0"])),
            headers=draw(HEADERS),
            body=b"".join(draw(BODIES)),
        ),
        head=a_head(
            offset_ns=draw(st.integers(0, 10**10)),
            status=draw(st.integers(100, 599)),
            reason=draw(HEADER_TEXT),
            headers=headers,
        ),
        ending=draw(st.sampled_from(Ending)),
        end_offset_ns=offset_ns + draw(st.integers(0, 10**10)),
        cost_usd=draw(st.none() | st.decimals(0, 10, places=9)),
        cost_source="reported",
    )
    if exchange.cost_usd is None:
        exchange = replace(exchange, cost_source=None)
    return Track(exchange=exchange, chunks=tuple(found))


@given(st.lists(tracks(), max_size=3), st.none() | st.dates())
def test_whatever_was_recorded_comes_out_as_it_went_in(
    given_tracks: list[Track], recorded: date | None
) -> None:
    text = dumps(Cassette(tracks=tuple(given_tracks), recorded=recorded))

    loaded = loads(text)

    assert loaded.sealed
    assert loaded.inexact == ()
    assert loaded.cassette.recorded == recorded
    assert [seen(track.exchange) for track in loaded.cassette.tracks] == [
        seen(track.exchange) for track in given_tracks
    ]
    assert [track.chunks for track in loaded.cassette.tracks] == [
        track.chunks for track in given_tracks
    ]
    assert dumps(loaded.cassette) == text
    assert loads(text.replace("\n", "\r\n")) == loaded


# -- no secrets --------------------------------------------------------------------------------


def test_no_secret_of_headers_or_urls_is_in_the_text() -> None:
    request = asking(
        headers=(("Authorization", f"Bearer {CANARY}"), ("X-Tenant", CANARY), ("Cookie", CANARY)),
        query=f"key={CANARY}&page=2",
    )
    headers = (("Set-Cookie", CANARY), ("Location", f"https://u:{CANARY}@h/?token={CANARY}&n=1"))

    text = text_of(a_track(DONE, headers=(*EVENTS, *headers), request=request))

    assert CANARY not in text
    assert "?key=REDACTED&page=2\n" in text
    assert "      Location: https://REDACTED@h/?token=REDACTED&n=1\n" in text


def test_what_was_redacted_says_the_same_however_often_it_is_written() -> None:
    request = asking(headers=(("Authorization", "Bearer x"),), query="key=abc")

    text = text_of(a_track(DONE, request=request))

    assert dumps(loads(text).cassette) == text


# -- by hand -----------------------------------------------------------------------------------

BY_HAND = """
replayproxy-cassette: 1
exchanges:
- request:
    method: POST
    url: https://api.openai.com/v1/chat/completions
    json: {model: gpt-4o, stream: True, messages: [{role: user, content: no}]}
  response:
    headers: |
      Content-Type: text/event-stream
    events:
    - 'data: {"choices":[{"index":0,"delta":{"content":"Well."},"finish_reason":"stop"}]}'
    - 'data: [DONE]'
"""


def test_a_cassette_written_by_hand_needs_no_checksum_and_no_times() -> None:
    loaded = loads(BY_HAND)

    (track,) = loaded.cassette.tracks
    assert not loaded.sealed
    assert track.exchange.request.body == (
        b'{"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":"no"}]}'
    )
    assert [(chunk.offset_ns, chunk.data[-8:]) for chunk in track.chunks] == [
        (0, b'op"}]}\n\n'),
        (0, b"[DONE]\n\n"),
    ]
    assert track.exchange.started_at == datetime(1970, 1, 1, tzinfo=UTC)


def test_an_edit_is_noticed_and_the_way_out_is_told() -> None:
    text = text_of(a_track(says("Hello"), says("you"), DONE))

    with pytest.raises(CassetteError, match="cassette seal"):
        loads(text.replace("a: Hello", "a: Howdy"))


def test_an_edited_event_keeps_its_time() -> None:
    text = text_of(a_track(says("Hello"), says("you"), DONE))

    loaded = loads(text.replace("a: Hello", "a: Good morning"), check=False)

    assert [chunk.offset_ns for chunk in loaded.cassette.tracks[0].chunks] == [
        1_500_000,
        3_000_000,
        4_500_000,
    ]
    assert loaded.cassette.tracks[0].chunks[0].data == says("Good morning")


def test_comments_and_line_endings_are_free() -> None:
    text = text_of(a_track(says("Hello"), DONE))
    commented = text.replace("- request:", "# why\n- request:").replace("\n", "\r\n")

    assert loads(commented) == loads(text)


def test_cost_is_a_fact_of_the_recording() -> None:
    track = a_track(DONE, cost_usd=Decimal("0.0123"), cost_source="genai-prices")

    assert back(track)[0].exchange.cost_usd == Decimal("0.0123")


# -- from strangers ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "no cassette"),
        ("[]", "no cassette"),
        ("interactions: []", "no cassette"),
        ("replayproxy-cassette: 2", "version 2"),
        ("replayproxy-cassette: 1\nmore: 1", "'more'"),
        ("replayproxy-cassette: 1\nexchanges: 3", "must be a list"),
        ("replayproxy-cassette: 1\nexchanges: [3]", "exchange 1"),
        ("replayproxy-cassette: 1\nrecorded: soon", "must be a date"),
        ("replayproxy-cassette: 1\nexchanges: [{request: {url: x}, response: {}}]", "no URL"),
        ("a: &a 1\nb: *a", "an anchor"),
        ("a: !!python/object/apply:os.system ['true']", "a tag"),
        ("a: 1\na: 2", "the key 'a' twice"),
        ("--- 1\n--- 2", "a second document"),
        ("[" * 1000, "more than 64 levels"),
        ("? [a]\n: 1", "a key that is not text"),
        ("{", "not YAML"),
        ("a: \x07", "not YAML"),
        (f"a: {'9' * 10_000}", "a number that is too long"),
    ],
)
def test_what_is_no_cassette_is_refused_with_its_reason(text: str, complaint: str) -> None:
    with pytest.raises(CassetteError, match=complaint):
        loads(text)


@given(st.text() | st.binary().map(lambda data: data.decode("latin-1")))
def test_no_text_does_anything_but_be_refused(text: str) -> None:
    with pytest.raises(CassetteError):
        loads(text)


NOISE = JSON_VALUES | st.sampled_from(["auto", "gzip 6", "1*9/9", "compact", "finished"])


@given(st.data())
def test_a_cassette_of_any_values_is_read_or_refused(data: st.DataObject) -> None:
    fields = (
        "method url headers json text events templates base64 wire spelling status separator "
        "timing ending"
    ).split()
    request, response = (
        data.draw(st.dictionaries(st.sampled_from(fields), NOISE), label=side)
        for side in ("request", "response")
    )
    times = data.draw(st.dictionaries(st.sampled_from(["head", "chunks", "end"]), NOISE))
    request.setdefault("url", "https://a.example/")
    value = {
        "replayproxy-cassette": 1,
        "exchanges": [{"request": request, "response": response, "timing": times}],
    }

    try:
        loads(json.dumps(value).replace("\x7f", ""))
    except CassetteError:
        pass


def test_the_day_is_kept() -> None:
    text = dumps(Cassette(recorded=NOON.date()))

    assert "\nrecorded: '2026-09-01'\n" in text
