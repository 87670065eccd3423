"""HTTP/2 on both legs: many streams, each its own exchange, each with its own end."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.commands import listed, run, serving, shown
from tests.end_to_end.http2 import (
    Http2Client,
    Http2Upstream,
    Step,
    Trailers,
    make_certificates,
)
from tests.end_to_end.upstream import Reset, Send, Wait
from tests.end_to_end.wire import post

PATH = "/v1/chat/completions"
EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n'
DONE = b"data: [DONE]\n\n"
PIECES = [EVENT[:20], EVENT[20:] + EVENT, DONE]
WHOLE = [Send(piece, after_s=0.01) for piece in PIECES]


def ask(number: int = 0) -> bytes:
    return json.dumps({"model": "gpt-x", "stream": True, "n": number}).encode()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def authority(certificates: tuple[Path, Path]) -> Path:
    return certificates[0]


@pytest.fixture
def whole(certificates: tuple[Path, Path]) -> Iterator[Http2Upstream]:
    """Answers everything with one stream."""
    with Http2Upstream(lambda body: WHOLE, certificates[1]) as upstream:
        yield upstream


def ours(folder: Path) -> Path:
    return folder / "home" / "mitmproxy-ca-cert.pem"


def test_a_stream_over_http2_is_recorded_frame_by_frame(
    whole: Http2Upstream, authority: Path, tmp_path: Path
) -> None:
    with (
        serving(
            "record", "--upstream", whole.origin, "--upstream-ca", str(authority), cwd=tmp_path
        ) as recorder,
        Http2Client(recorder.url, ours(tmp_path)) as client,
    ):
        live = client.streams[client.post(PATH, ask())]
        client.read_all()
    with serving("replay", "--speed", "instant", cwd=tmp_path) as player:
        replayed = post(player.url + PATH, ask())

    assert live.ended
    assert live.chunks == replayed.chunks == PIECES
    assert (live.status, live.headers) == (200, {"content-type": "text/event-stream"})
    assert [(row["outcome"], row["chunk_count"]) for row in listed(tmp_path)] == [("completed", 3)]
    assert "HTTP/2.0 200" in run("show", "1", cwd=tmp_path).stdout


def test_so_is_one_that_was_intercepted(
    whole: Http2Upstream, authority: Path, tmp_path: Path
) -> None:
    with (
        serving("record", "--upstream-ca", str(authority), cwd=tmp_path) as recorder,
        Http2Client(whole.origin, ours(tmp_path), proxy=recorder.url) as client,
    ):
        stream = client.streams[client.post(PATH, ask())]
        client.read_all()

    assert stream.chunks == PIECES
    assert [(row["outcome"], row["host"]) for row in listed(tmp_path)] == [
        ("completed", "127.0.0.1")
    ]


def test_twenty_streams_at_once_on_one_connection_of_both_legs(
    certificates: tuple[Path, Path], tmp_path: Path
) -> None:
    everybody_is_here = threading.Event()

    def script(body: bytes) -> list[Step]:
        if len(upstream.bodies) == 20:
            everybody_is_here.set()
        number = json.loads(body)["n"]
        return [Send(b"data: %d\n\n" % number), Wait(everybody_is_here), Send(DONE)]

    with (
        Http2Upstream(script, certificates[1]) as upstream,
        serving(
            "record", "--upstream", upstream.origin, "--upstream-ca", str(certificates[0]),
            cwd=tmp_path,
        ) as recorder,
        Http2Client(recorder.url, ours(tmp_path)) as client,
    ):  # fmt: skip
        streams = [client.streams[client.post(PATH, ask(n))] for n in range(20)]
        client.read_all()

    assert [stream.body for stream in streams] == [b"data: %d\n\n%b" % (n, DONE) for n in range(20)]
    assert [row["outcome"] for row in listed(tmp_path)] == ["completed"] * 20
    assert upstream.connections == 1


def test_a_stream_that_the_upstream_resets_breaks_and_leaves_the_others(
    certificates: tuple[Path, Path], tmp_path: Path
) -> None:
    was_reset = threading.Event()

    def script(body: bytes) -> list[Step]:
        if json.loads(body)["n"] == 1:
            return [Send(EVENT), Reset()]
        return [Send(EVENT), Wait(was_reset), Send(DONE)]

    with (
        Http2Upstream(script, certificates[1]) as upstream,
        serving(
            "record", "--upstream", upstream.origin, "--upstream-ca", str(certificates[0]),
            cwd=tmp_path,
        ) as recorder,
        Http2Client(recorder.url, ours(tmp_path)) as client,
    ):  # fmt: skip
        streams = [client.streams[client.post(PATH, ask(n))] for n in range(3)]
        client.read_until(lambda streams: any(stream.reset for stream in streams.values()))
        was_reset.set()
        client.read_all()

    assert [(stream.body, stream.ended, stream.reset) for stream in streams] == [
        (EVENT + DONE, True, False),
        (EVENT, False, True),
        (EVENT + DONE, True, False),
    ]
    assert {row["outcome"] for row in listed(tmp_path)} == {"completed", "upstream_closed"}
    broken = [row for row in listed(tmp_path) if row["outcome"] == "upstream_closed"]
    assert len(broken) == 1
    assert shown(broken[0]["id"], tmp_path)["response_bytes"] == len(EVENT)


def test_a_stream_that_the_client_resets_is_given_up_upstream_and_leaves_the_others(
    certificates: tuple[Path, Path], tmp_path: Path
) -> None:
    goes_on = threading.Event()

    with (
        Http2Upstream(
            lambda body: [Send(EVENT), Wait(goes_on), Send(DONE)], certificates[1]
        ) as upstream,
        serving(
            "record", "--upstream", upstream.origin, "--upstream-ca", str(certificates[0]),
            cwd=tmp_path,
        ) as recorder,
        Http2Client(recorder.url, ours(tmp_path)) as client,
    ):  # fmt: skip
        numbers = [client.post(PATH, ask(n)) for n in range(3)]
        client.read_until(lambda streams: all(stream.chunks for stream in streams.values()))
        client.reset(numbers[1])
        assert upstream.given_up.wait(1.0)  # within a second
        goes_on.set()
        client.read_all()

    assert upstream.reset_by_client == [ask(1)]
    assert [client.streams[number].body for number in numbers] == [
        EVENT + DONE,
        EVENT,
        EVENT + DONE,
    ]
    assert sorted(row["outcome"] for row in listed(tmp_path)) == [
        "client_closed",
        "completed",
        "completed",
    ]


def test_trailers_reach_the_client(certificates: tuple[Path, Path], tmp_path: Path) -> None:
    trailers = (("x-checksum", "abc"),)
    with (
        Http2Upstream(lambda body: [*WHOLE, Trailers(trailers)], certificates[1]) as upstream,
        serving(
            "record", "--upstream", upstream.origin, "--upstream-ca", str(certificates[0]),
            cwd=tmp_path,
        ) as recorder,
        Http2Client(recorder.url, ours(tmp_path)) as client,
    ):  # fmt: skip
        stream = client.streams[client.post(PATH, ask())]
        client.read_all()

    assert (stream.chunks, stream.trailers) == (PIECES, dict(trailers))
    assert [row["outcome"] for row in listed(tmp_path)] == ["completed"]


def test_an_upstream_whose_certificate_nobody_vouches_for_is_a_recorded_502(
    whole: Http2Upstream, tmp_path: Path
) -> None:
    with serving("record", "--upstream", whole.origin, cwd=tmp_path) as recorder:
        refused = post(recorder.url + PATH, ask())

    (row,) = listed(tmp_path)
    assert refused.status == 502
    assert "Certificate verify failed" in row["error"]
    assert "--upstream-ca" in recorder.words
    assert whole.bodies == []


@pytest.mark.parametrize(
    ("content", "said"), [(None, "cannot be read"), (b"not a certificate", "holds no certificate")]
)
def test_a_file_that_is_no_authority_is_said_so(
    content: bytes | None, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)

    refused = run("record", "--upstream-ca", str(path), cwd=tmp_path)

    assert refused.returncode == 2
    assert f"{path} {said}" in refused.stderr
