"""A canary: keys that AIgateway's API mints reach their client, and no file of ours."""

import gzip
import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.builders import eventually
from tests.end_to_end.commands import Child, body_of, listed, run, serving
from tests.end_to_end.upstream import (
    LAST_CHUNK,
    STREAM_HEAD,
    Received,
    Reset,
    Script,
    Send,
    Upstream,
    Wait,
    chunk,
    plain,
)
from tests.end_to_end.wire import post

# The real command, on a machine where the gateway's name leads to our upstream.
COMMAND = """
import socket, sys

sys.modules["uvloop"] = None  # it has a resolver of its own
resolve = socket.getaddrinfo

def to_us(host, *arguments, **more):
    return resolve("127.0.0.1" if host == "api.aigateway.sh" else host, *arguments, **more)

socket.getaddrinfo = to_us

from replayproxy.cli import main

main(sys.argv[1:])
"""

CANARY = "sk-" + "aig-canary-0123456789abcdef"
ACCOUNTS, ROTATE = "/v1/sub-accounts", "/v1/webhook-secret/rotate"
CREATED = json.dumps({"id": "sa_1", "key": CANARY, "name": "acme"}).encode()
ROTATED = gzip.compress(json.dumps({"secret": CANARY}).encode())
HEAD = STREAM_HEAD.replace(b"text/event-stream", b"application/json")
IN_THE_KEY = CREATED.index(CANARY.encode()) + 12


def gateway(request: Received) -> Script:
    """Tears the key of an account apart; the secret comes encoded."""
    if request.target == ROTATE:
        return plain(ROTATED, more="Content-Encoding: gzip\r\n")
    pieces = CREATED[:IN_THE_KEY], CREATED[IN_THE_KEY:]
    return [Send(HEAD), *(Send(chunk(piece), after_s=0.15) for piece in pieces), Send(LAST_CHUNK)]


@contextmanager
def recording(upstream: Upstream, folder: Path) -> Iterator[Child]:
    to = f"http://api.aigateway.sh:{upstream.port}"
    arguments = ["record", "--upstream", to, "--listen", "127.0.0.1:0"]
    command = [sys.executable, "-c", COMMAND, *arguments]
    child = Child(command, cwd=folder, announces="listening on ")
    try:
        yield child
    finally:
        child.stop()


def places_of_the_canary(folder: Path) -> list[str]:
    """Every file that holds eight bytes of it or more."""
    pieces = [CANARY[start : start + 8].encode() for start in range(len(CANARY) - 7)]
    return [
        str(path)
        for path in folder.rglob("*")
        if path.is_file() and any(piece in path.read_bytes() for piece in pieces)
    ]


def test_the_client_gets_the_key_and_the_recording_its_length(tmp_path: Path) -> None:
    with Upstream(gateway) as upstream, recording(upstream, tmp_path) as recorder:
        created = post(recorder.url + ACCOUNTS, {"name": "acme"})
        rotated = post(recorder.url + ROTATE, {})

    assert created.chunks == [CREATED[:IN_THE_KEY], CREATED[IN_THE_KEY:]]
    assert rotated.body == ROTATED
    assert places_of_the_canary(tmp_path) == []
    for output in (
        recorder.words,
        run("list", "--json", cwd=tmp_path).stdout,
        run("show", "1", "--json", cwd=tmp_path).stdout,
        body_of(1, tmp_path).decode(),
    ):
        assert CANARY[:12] not in output

    with serving("replay", "--speed", "instant", cwd=tmp_path) as replayer:
        created_again = post(replayer.url + ACCOUNTS, {"name": "acme"})
        rotated_again = post(replayer.url + ROTATE, {})

    assert created_again.json == {"id": "sa_1", "key": "*" * len(CANARY), "name": "acme"}
    assert len(created_again.body) == len(CREATED)
    assert rotated_again.body == b"*" * len(ROTATED)
    assert rotated_again.headers["content-length"] == str(len(ROTATED))


def test_the_pieces_of_a_replayed_key_are_as_long_as_they_were(tmp_path: Path) -> None:
    with Upstream(gateway) as upstream, recording(upstream, tmp_path) as recorder:
        post(recorder.url + ACCOUNTS, {"name": "acme"})

    with serving("replay", cwd=tmp_path) as replayer:
        again = post(replayer.url + ACCOUNTS, {"name": "acme"})

    assert [len(piece) for piece in again.chunks] == [IN_THE_KEY, len(CREATED) - IN_THE_KEY]


@pytest.mark.parametrize("seen", [IN_THE_KEY, len(CREATED)])
def test_of_an_answer_that_breaks_off_no_key_is_kept(seen: int, tmp_path: Path) -> None:
    def script(request: Received) -> Script:
        return [Send(HEAD + chunk(CREATED[:seen])), Reset()]

    with Upstream(script) as upstream, recording(upstream, tmp_path) as recorder:
        answer = post(recorder.url + ACCOUNTS, {})

    assert answer.body == CREATED[:seen]
    assert places_of_the_canary(tmp_path) == []
    (row,) = listed(tmp_path)
    assert row["outcome"] == "upstream_closed"
    assert len(body_of(1, tmp_path)) == seen


def test_a_recorder_that_is_killed_has_written_no_key(tmp_path: Path) -> None:
    over = threading.Event()

    def script(request: Received) -> Script:
        return [Send(HEAD + chunk(CREATED[:IN_THE_KEY])), Wait(over)]

    with Upstream(script) as upstream, recording(upstream, tmp_path) as recorder:
        client = threading.Thread(target=post, args=(recorder.url + ACCOUNTS, {}))
        client.start()
        try:
            eventually(lambda: [row["status"] for row in listed(tmp_path)] == [200])
            recorder.process.kill()
            client.join()
        finally:
            over.set()

    assert places_of_the_canary(tmp_path) == []


def test_keys_in_other_bodies_are_reported_and_stored(tmp_path: Path) -> None:
    ask = {"model": "gpt-x", "messages": [{"role": "user", "content": f"my key: {CANARY}"}]}
    with (
        Upstream(lambda request: plain(b"{}")) as upstream,
        recording(upstream, tmp_path) as recorder,
    ):
        for _ in range(2):
            post(recorder.url + "/v1/chat/completions", ask)

    assert (
        "2 exchanges hold what looks like API keys in request or response bodies "
        "(aigateway key): they are stored as they are\n"
    ) in recorder.words
    assert json.loads(body_of(1, tmp_path, "request")) == ask
