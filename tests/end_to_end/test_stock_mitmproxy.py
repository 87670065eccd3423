"""Our addons in stock mitmproxy: in each of its programs, in its modes, beside other addons."""

import socket
from pathlib import Path

import pytest

from replayproxy.shipped import addons_path
from tests.end_to_end.commands import body_of, listed, mitmdump, serving
from tests.end_to_end.upstream import Upstream, plain, streamed
from tests.end_to_end.wire import post

PATH = "/v1/chat/completions"
EVENT = b'data: {"model":"gpt-x","choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n'
CHUNKS = [EVENT[:20], EVENT[20:], b"data: [DONE]\n\n"]
ASK = {"model": "gpt-x", "stream": True, "messages": []}
WEB = ("--no-web-open-browser", "--web-port=0", "--set=web_password=x")

OTHER = """
class Other:
    def requestheaders(self, flow):
        flow.request.headers["x-other"] = "was here"

    def responseheaders(self, flow):
        flow.response.headers["x-other"] = "was here, too"
        {stream}

    def response(self, flow):
        print("other addon: response", flush=True)

addons = [Other()]
"""
IN_CAPITALS = "flow.response.stream = lambda data: [data.upper(), b'!'] if data else [data]"


@pytest.mark.parametrize(
    ("program", "more"), [("mitmdump", ()), ("mitmweb", WEB)], ids=["mitmdump", "mitmweb"]
)
def test_each_program_records_and_replays(
    program: str, more: tuple[str, ...], tmp_path: Path
) -> None:
    with Upstream(lambda request: streamed(CHUNKS)) as upstream:
        mode = f"--mode=reverse:{upstream.origin}"
        with mitmdump("recorder", mode, *more, cwd=tmp_path, program=program) as recorder:
            live = post(recorder.url + PATH, ASK)
        with mitmdump("replayer", mode, *more, cwd=tmp_path, program=program) as player:
            again = post(player.url + PATH, ASK)

    assert live.chunks == again.chunks == CHUNKS
    assert again.headers["x-replayproxy"] == "hit"
    assert len(upstream.requests) == 1
    assert [row["outcome"] for row in listed(tmp_path)] == ["completed"]


def with_other(folder: Path, stream: str = "") -> str:
    """The option that loads another addon."""
    script = folder / "other.py"
    script.write_text(OTHER.format(stream=stream))
    return f"--scripts={script}"


@pytest.mark.parametrize("order", ["before", "after"])
def test_another_addon_works_beside_the_recorder(order: str, tmp_path: Path) -> None:
    other = with_other(tmp_path)
    with Upstream(lambda request: streamed(CHUNKS)) as upstream:
        mode = f"--mode=reverse:{upstream.origin}"
        first = addons_path("recorder.py")
        script = tmp_path / "other.py" if order == "before" else first
        second = f"--scripts={first}" if order == "before" else other
        with mitmdump("recorder", mode, second, cwd=tmp_path, script=script) as recorder:
            answer = post(recorder.url + PATH, ASK)

    assert answer.chunks == CHUNKS
    assert answer.headers["x-other"] == "was here, too"
    assert upstream.requests[0].headers["x-other"] == "was here"
    assert "other addon: response" in recorder.words
    assert body_of(1, tmp_path) == b"".join(CHUNKS)


def test_what_another_addon_makes_of_a_stream_is_what_is_recorded(tmp_path: Path) -> None:
    with_other(tmp_path, IN_CAPITALS)
    with Upstream(lambda request: streamed(CHUNKS)) as upstream:
        mode = f"--mode=reverse:{upstream.origin}"
        ours = f"--scripts={addons_path('recorder.py')}"
        script = tmp_path / "other.py"
        with mitmdump("recorder", mode, ours, cwd=tmp_path, script=script) as recorder:
            answer = post(recorder.url + PATH, ASK)

    assert answer.body == b"!".join(chunk.upper() for chunk in CHUNKS) + b"!"
    assert body_of(1, tmp_path) == answer.body


def test_a_stream_that_another_addon_takes_away_is_counted_as_lost(tmp_path: Path) -> None:
    other = with_other(tmp_path, IN_CAPITALS)
    with Upstream(lambda request: streamed(CHUNKS)) as upstream:
        mode = f"--mode=reverse:{upstream.origin}"
        with mitmdump("recorder", mode, other, cwd=tmp_path) as recorder:
            answer = post(recorder.url + PATH, ASK)

    assert answer.body == b"!".join(chunk.upper() for chunk in CHUNKS) + b"!"
    assert "load recorder.py after it" in recorder.words
    assert [row["outcome"] for row in listed(tmp_path)] == ["interrupted"]


def test_mitmproxys_own_addons_work_beside_the_replayer(tmp_path: Path) -> None:
    with (
        Upstream(lambda request: plain(b'{"ok":true}')) as upstream,
        serving("record", "--upstream", upstream.origin, cwd=tmp_path) as recorder,
    ):
        post(recorder.url + PATH, ASK)
    more = ("--modify-headers=/~s/x-added/yes", f"--save-stream-file={tmp_path / 'saved'}")

    with mitmdump("replayer", *more, with_other(tmp_path), cwd=tmp_path) as player:
        answer = post(upstream.origin + PATH, ASK, tunnel=player.url)

    assert answer.json == {"ok": True}
    assert (answer.headers["x-added"], answer.headers["x-other"]) == ("yes", "was here, too")
    assert (tmp_path / "saved").stat().st_size > 0
    assert len(upstream.requests) == 1


def test_the_replayer_answers_in_mitmproxys_other_modes(tmp_path: Path) -> None:
    with (
        Upstream(lambda request: streamed(CHUNKS)) as upstream,
        serving("record", "--upstream", upstream.origin, cwd=tmp_path) as recorder,
    ):
        post(recorder.url + PATH, ASK)

    with mitmdump("replayer", "--mode=socks5", cwd=tmp_path) as player:
        port = int(player.url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), 30) as connection:
            connection.sendall(b"\x05\x01\x00")
            assert connection.recv(2) == b"\x05\x00"
            name = b"api.example.invalid"
            connection.sendall(b"\x05\x01\x00\x03" + bytes([len(name)]) + name + b"\x00\x50")
            assert connection.recv(10)[:2] == b"\x05\x00"
            connection.sendall(
                b"POST /v1/chat/completions HTTP/1.1\r\nHost: api.example.invalid\r\n"
                b'Content-Length: 47\r\n\r\n{"model":"gpt-x","stream":true,"messages":[]}  '
            )
            received = b""
            while b"[DONE]" not in received and (data := connection.recv(4096)):
                received += data

    assert b"x-replayproxy: hit" in received
    assert len(upstream.requests) == 1
