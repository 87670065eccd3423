"""What becomes of a request that was not recorded, where the user wants more than an error."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.commands import listed, run, serving
from tests.end_to_end.http2 import make_certificates
from tests.end_to_end.tls_front import tls_front
from tests.end_to_end.upstream import (
    STREAM_HEAD,
    Close,
    Received,
    Script,
    Send,
    Upstream,
    chunk,
    plain,
    streamed,
)
from tests.end_to_end.wire import post

PATH = "/v1/chat/completions"
CHUNKS = [b"data: {", b'"n":1}\n\ndata: ', b"[DONE]\n\n"]


def ask(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "gpt-x", "messages": [{"role": "user", "content": text}], **more}


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """Answers 1, 2, 3, ... or, if asked so, a stream; or one that breaks off."""
    numbers = count(1)

    def script(request: Received) -> Script:
        if b'"stream"' in request.body:
            return streamed(CHUNKS, gap_s=0.01)
        if b"break" in request.body:
            return [Send(STREAM_HEAD), Send(chunk(CHUNKS[0])), Close()]
        return plain(b'{"answer": %d}' % next(numbers))

    with Upstream(script) as running:
        yield running


@pytest.fixture
def recorded(upstream: Upstream, tmp_path: Path) -> Path:
    with serving("record", "--upstream", upstream.origin, cwd=tmp_path) as recorder:
        assert post(recorder.url + PATH, ask("old")).json == {"answer": 1}
    return tmp_path


def results(folder: Path) -> list[str]:
    with closing(sqlite3.connect(folder / "replayproxy.db")) as opened:
        return [row[0] for row in opened.execute("SELECT result FROM replays ORDER BY id")]


def test_a_miss_is_recorded_and_answers_the_next_run_but_not_this_one(
    recorded: Path, upstream: Upstream
) -> None:
    more = ("--on-miss", "record", "--upstream", upstream.origin, "--speed", "instant")
    with serving("replay", *more, cwd=recorded) as player:
        answers = [post(player.url + PATH, ask(text)) for text in ("old", "new", "new")]
        stream = post(player.url + PATH, ask("new", stream=True))
    with serving("replay", "--speed", "instant", cwd=recorded) as later:
        again = [post(later.url + PATH, ask(text)) for text in ("old", "new", "new")]
        same_stream = post(later.url + PATH, ask("new", stream=True))

    assert [answer.json["answer"] for answer in answers] == [1, 2, 3]
    assert [a.headers["x-replayproxy"] for a in answers] == ["hit", "recorded", "recorded"]
    assert [answer.json["answer"] for answer in again] == [1, 2, 3]
    assert stream.chunks == same_stream.chunks == CHUNKS
    assert player.words.splitlines()[-1] == "replayed 1 exchange, 3 misses recorded"
    assert results(recorded) == ["hit", *["recorded"] * 3, *["hit"] * 4]
    assert [row["outcome"] for row in listed(recorded)] == ["completed"] * 4
    assert len(upstream.requests) == 4


def test_a_miss_is_forwarded_and_leaves_no_trace_but_in_the_log(
    recorded: Path, upstream: Upstream
) -> None:
    more = ("--on-miss", "forward", "--upstream", upstream.origin, "--speed", "instant")
    with serving("replay", *more, cwd=recorded) as player:
        headers = {"Authorization": "Bearer sk-1", "x-replayproxy-session": "a", "X-Own": "1"}
        base = f"{player.url}/_replayproxy/session/b"
        live = post(base + PATH, ask("new"), headers=headers)

    assert (live.json, live.headers["x-replayproxy"]) == ({"answer": 2}, "forwarded")
    assert len(listed(recorded)) == 1
    assert results(recorded) == ["forwarded"]
    received = upstream.requests[-1]
    assert received.target == PATH
    assert received.headers["authorization"] == "Bearer sk-1"
    assert received.headers["x-own"] == "1"
    assert received.headers["host"] == upstream.origin.removeprefix("http://")
    assert not [name for name in received.headers if name.startswith("x-replayproxy")]


def test_a_proxy_client_says_itself_where_it_means_to_go(
    recorded: Path, tmp_path: Path, upstream: Upstream
) -> None:
    authority, certificate = make_certificates(tmp_path / "certificates")
    ours = recorded / "home" / "mitmproxy-ca-cert.pem"
    more = ("--on-miss", "record", "--upstream-ca", str(authority))
    with (
        tls_front(upstream.port, certificate) as origin,
        serving("replay", *more, cwd=recorded) as player,
    ):
        clear = post(upstream.origin + PATH, ask("new"), tunnel=player.url)
        secured = post(origin + PATH, ask("newer"), tunnel=player.url, authority=ours)

    assert (clear.json, secured.json) == ({"answer": 2}, {"answer": 3})
    assert [(row["host"], row["outcome"]) for row in listed(recorded)[1:]] == [
        ("127.0.0.1", "completed"),
        ("127.0.0.1", "completed"),
    ]
    assert "https://127.0.0.1" in run("show", "3", cwd=recorded).stdout


def test_without_a_word_where_to_go_a_miss_stays_one(recorded: Path, upstream: Upstream) -> None:
    with serving("replay", "--on-miss", "record", cwd=recorded) as player:
        answer = post(player.url + PATH, ask("new"))

    assert answer.status == 404
    assert "--upstream URL" in answer.json["error"]["message"]
    assert len(upstream.requests) == 1


def test_used_up_recordings_are_misses_too(recorded: Path, upstream: Upstream) -> None:
    more = ("--on-miss", "record", "--repeat", "error", "--upstream", upstream.origin)
    with serving("replay", *more, cwd=recorded) as player:
        answers = [post(player.url + PATH, ask("old")) for _ in range(2)]

    assert [answer.json["answer"] for answer in answers] == [1, 2]


def test_what_breaks_off_live_breaks_off_for_the_client(recorded: Path, upstream: Upstream) -> None:
    more = ("--on-miss", "record", "--upstream", upstream.origin)
    with serving("replay", *more, cwd=recorded) as player:
        broken = post(player.url + PATH, ask("break"))

    assert (broken.chunks, broken.whole) == (CHUNKS[:1], False)
    assert listed(recorded)[-1]["outcome"] == "upstream_closed"


def test_an_upstream_that_is_gone_is_a_502_and_recorded_as_what_it_is(recorded: Path) -> None:
    more = ("--on-miss", "record", "--upstream", "http://127.0.0.1:1")
    with serving("replay", *more, cwd=recorded) as player:
        answer = post(player.url + PATH, ask("new"))

    assert answer.status == 502
    assert listed(recorded)[-1]["error"]


def test_a_database_is_made_where_there_is_none(tmp_path: Path, upstream: Upstream) -> None:
    more = ("--on-miss", "record", "--upstream", upstream.origin)
    with serving("replay", *more, cwd=tmp_path) as player:
        post(player.url + PATH, ask("first"))

    assert [row["outcome"] for row in listed(tmp_path)] == ["completed"]


def test_an_authority_for_upstreams_makes_no_sense_where_none_is_asked(tmp_path: Path) -> None:
    refused = run("replay", "--upstream-ca", "ca.pem", cwd=tmp_path)

    assert refused.returncode == 2
    assert "without --on-miss" in refused.stderr
