"""Files that other tools really wrote: VCR.py, mitmproxy; and HAR as browsers write it."""

import gzip
import json
import os
import sys
import urllib.request
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
import vcr
from hypothesis import given
from hypothesis import strategies as st

from replayproxy.cassettes import Track
from replayproxy.errors import CassetteError
from replayproxy.model import Chunk, header
from replayproxy.transfer import har, mitmproxy_flows
from replayproxy.transfer import vcr as our_vcr
from replayproxy.transfer.formats import Format, load, of_content
from tests.cassettes.test_text import JSON_VALUES, seen, tracks
from tests.end_to_end.commands import Child
from tests.end_to_end.upstream import Received, Step, Upstream, plain, streamed

EVENTS = [b'data: {"choices":[{"delta":{"content":"Hi"}}]}\n\n', b"data: [DONE]\n\n"]
ANSWER = b'{"said": "caf\xc3\xa9"}'
BINARY = bytes(range(256))


def script(asked: Received) -> Sequence[Step]:
    match asked.target.partition("?")[0]:
        case "/v1/chat/completions":
            return streamed(EVENTS)
        case "/gzip":
            return plain(gzip.compress(ANSWER, mtime=0), more="Content-Encoding: gzip\r\n")
        case "/binary":
            return plain(
                BINARY, content_type="audio/mpeg", more="Date: Tue, 01 Sep 2026 12:00:00 GMT\r\n"
            )
        case _:
            return plain(ANSWER)


ASKED = ["/v1/chat/completions", "/gzip", "/binary", "/plain?key=1"]


def ask(origin: str, *, proxy: str | None = None) -> list[bytes]:
    handlers = [urllib.request.ProxyHandler({"http": proxy} if proxy else {})]
    opener = urllib.request.build_opener(*handlers)
    bodies = []
    for target in ASKED:
        request = urllib.request.Request(origin + target, data=b'{"q":"\xc3\xa9"}')
        request.add_header("Content-Type", "application/json")
        with opener.open(request) as response:
            bodies.append(response.read())
    return bodies


def checked(tracks: list[Track]) -> None:
    """All four exchanges say what was said."""
    assert [track.exchange.request.path for track in tracks] == [
        target.partition("?")[0] for target in ASKED
    ]
    assert {track.exchange.request.body for track in tracks} == {b'{"q":"\xc3\xa9"}'}
    assert tracks[0].body == b"".join(EVENTS)
    assert tracks[2].body == BINARY
    assert tracks[3].body == ANSWER
    assert tracks[3].exchange.request.query == "key=1"


@pytest.mark.parametrize("serializer", ["yaml", "json"])
@pytest.mark.parametrize("decode", [False, True])
def test_a_cassette_of_vcrpy_says_what_was_said(
    tmp_path: Path, serializer: str, decode: bool
) -> None:
    path = tmp_path / "cassette.yaml"
    asked = ASKED if serializer == "yaml" else ["/plain"]
    with (
        Upstream(script) as upstream,
        vcr.use_cassette(str(path), serializer=serializer, decode_compressed_response=decode),
    ):
        if serializer == "yaml":
            ask(upstream.origin)
        else:
            urllib.request.urlopen(upstream.origin + "/plain").read()

    assert of_content(path) is Format.VCR
    imported = load(path, Format.VCR)

    assert imported.skipped == {}
    assert imported.unknown.startswith("no timing")
    assert len(imported.tracks) == len(asked)
    if serializer == "yaml":
        checked(imported.tracks)
        coded, binary = imported.tracks[1], imported.tracks[2]
        assert coded.exchange.head
        is_coded = header(coded.exchange.head.headers, "content-encoding") == "gzip"
        assert (gzip.decompress(coded.body) if is_coded else coded.body) == ANSWER
        assert [chunk.data for chunk in imported.tracks[0].chunks] == EVENTS
        assert binary.exchange.started_at == datetime(2026, 9, 1, 12, tzinfo=UTC)


def test_what_mitmdump_wrote_says_what_was_said(tmp_path: Path) -> None:
    command = [
        os.fspath(Path(sys.executable).parent / "mitmdump"),
        "--listen-host=127.0.0.1",
        "--listen-port=0",
        f"--set=confdir={tmp_path / 'home'}",
        f"--set=hardump={tmp_path / 'out.har'}",
        f"--save-stream-file={tmp_path / 'out.mitm'}",
    ]
    with Upstream(script) as upstream:
        child = Child(command, cwd=tmp_path, announces="listening at ")
        try:
            ask(upstream.origin, proxy=child.url)
        finally:
            assert child.stop() == 0

    for name, kind in [("out.mitm", Format.FLOWS), ("out.har", Format.HAR)]:
        path = tmp_path / name
        assert of_content(path) is kind
        imported = load(path, kind)
        assert imported.skipped == {}
        assert imported.unknown.startswith("no chunk borders")
        checked(imported.tracks)
        (end_ns,) = {chunk.offset_ns for chunk in imported.tracks[0].chunks}
        assert end_ns > 0


FROM_A_BROWSER = {
    "startedDateTime": "2026-09-01T14:00:00.000+02:00",
    "time": 70.5,
    "request": {
        "method": "POST",
        "url": "https://api.example/v1/x?a=1#top",
        "httpVersion": "h2",
        "headers": [{"name": ":method", "value": "POST"}, {"name": "accept", "value": "*/*"}],
        "postData": {
            "mimeType": "application/x-www-form-urlencoded",
            "params": [{"name": "a b", "value": "é"}],
        },
    },
    "response": {
        "status": 200,
        "statusText": "",
        "httpVersion": "h2",
        "headers": [
            {"name": "content-encoding", "value": "br"},
            {"name": "content-length", "value": "7"},
            {"name": "content-type", "value": "text/plain"},
        ],
        "content": {"size": 12, "mimeType": "text/plain", "text": "hello, world"},
    },
    "timings": {"send": 0.1, "wait": 50.25, "receive": 20.25, "blocked": -1},
}


def in_har(*entries: object) -> str:
    return json.dumps({"log": {"entries": entries}})


def test_a_decoded_body_of_a_browser_has_no_content_encoding_any_more() -> None:
    imported = har.loads(in_har(FROM_A_BROWSER))

    (track,) = imported.tracks
    request, head = track.exchange.request, track.exchange.head
    assert head
    assert (request.host, request.path, request.query) == ("api.example", "/v1/x", "a=1")
    assert request.body == b"a+b=%C3%A9"
    assert request.headers == (("accept", "*/*"),)
    assert head.headers == (("content-length", "12"), ("content-type", "text/plain"))
    assert head.http_version == "HTTP/2.0"
    assert head.offset_ns == 50_250_000
    assert track.chunks == (Chunk(offset_ns=70_500_000, data=b"hello, world"),)
    assert track.exchange.started_at == datetime(2026, 9, 1, 12, tzinfo=UTC)


def test_what_a_har_file_does_not_hold_is_counted_with_its_reason() -> None:
    failed = {**FROM_A_BROWSER, "response": {"status": 0}}
    without_body = {
        **FROM_A_BROWSER,
        "response": {"status": 200, "headers": [], "content": {"size": 5}},
    }
    data_url = {**FROM_A_BROWSER, "request": {"method": "GET", "url": "data:,x"}}

    imported = har.loads(in_har(failed, without_body, data_url, {}))

    assert imported.tracks == []
    assert imported.skipped == {
        "there was no answer": 1,
        "the answer's body was not kept": 1,
        "not HTTP": 1,
        "not as HAR 1.2 has it (KeyError('response'))": 1,
    }


@given(st.lists(tracks(), max_size=2))
def test_our_own_har_files_lose_nothing(given_tracks: list[Track]) -> None:
    imported = har.loads(har.dumps(given_tracks))

    assert imported.unknown == "" or not given_tracks
    assert [seen(track.exchange) for track in imported.tracks] == [
        seen(track.exchange) for track in given_tracks
    ]
    assert [track.chunks for track in imported.tracks] == [t.chunks for t in given_tracks]


VCR_VALUES = JSON_VALUES | st.sampled_from(["http://h/", "https://h", {"string": "x"}, {"code": 1}])


@given(st.dictionaries(st.sampled_from(["request", "response", "log", "entries"]), VCR_VALUES))
def test_no_file_of_any_values_raises_anything_but_what_is_told(value: dict[str, object]) -> None:
    inner = {"uri": "http://h/", "url": "http://h/", "status": {"code": 1}, **value}

    for read, text in [
        (har.loads, in_har(value, {"request": inner, "response": inner})),
        (
            our_vcr.loads,
            json.dumps({"interactions": [value, {"request": inner, "response": inner}]}),
        ),
    ]:
        try:
            imported = read(text.replace("\\u007f", ""))
        except CassetteError:
            continue
        assert len(imported.tracks) + sum(imported.skipped.values()) == 2


@given(st.binary())
def test_no_bytes_are_a_flow_file_by_chance(data: bytes) -> None:
    try:
        assert mitmproxy_flows.loads(data).tracks == []
    except CassetteError:
        pass


def test_aliases_and_bytes_are_read_only_of_vcrpy() -> None:
    text = """
interactions:
- request: &it {method: GET, uri: 'http://h/', body: null, headers: {Accept: ['*/*', b]}}
  response: {status: {code: 200, message: OK}, headers: {}, body: {string: !!binary aGk=}}
- request: *it
  response: {status: {code: 200, message: OK}, headers: {}, body: {string: !!binary aG8=}}
version: 1
"""

    imported = our_vcr.loads(text)

    assert [track.body for track in imported.tracks] == [b"hi", b"ho"]
    assert imported.tracks[1].exchange.request.headers == (("Accept", "*/*"), ("Accept", "b"))
    with pytest.raises(CassetteError, match="a tag"):
        our_vcr.loads("interactions: !!python/object/apply:os.system [x]")
