"""`record --rerecord`: the cassette is replaced, and never lost."""

import json
import signal
import threading
from pathlib import Path

import pytest

from tests.builders import eventually
from tests.end_to_end.commands import listed, run, serving
from tests.end_to_end.upstream import (
    LAST_CHUNK,
    STREAM_HEAD,
    Received,
    Script,
    Send,
    Upstream,
    Wait,
    chunk,
    plain,
    streamed,
)
from tests.end_to_end.wire import post

PATH = "/v1/chat/completions"
DONE = b"data: [DONE]\n\n"


def ask(question: str) -> dict[str, object]:
    return {"model": question, "messages": [], "stream": True}


def says(text: str) -> list[bytes]:
    event = {"choices": [{"index": 0, "delta": {"content": text}}]}
    return [f"data: {json.dumps(event)}\n\n".encode(), DONE]


def record(upstream: Upstream, folder: Path, *questions: str, options: tuple[str, ...] = ()) -> str:
    """Record these in one run; what it said."""
    arguments = ("record", "--upstream", upstream.origin, *options)
    with serving(*arguments, cwd=folder) as recorder:
        for question in questions:
            post(recorder.url + PATH, ask(question))
    return recorder.words


def models(folder: Path) -> list[tuple[int, str, str | None]]:
    return [(row["id"], row["request_model"], row["outcome"]) for row in listed(folder)]


def test_the_new_recording_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    answers = {"live": "old"}
    with Upstream(lambda request: streamed(says(answers["live"]))) as upstream:
        record(upstream, tmp_path, "a", "b")
        record(upstream, tmp_path, "a", options=("--cassette", "other"))
        answers["live"] = "new"

        words = record(upstream, tmp_path, "a", options=("--rerecord",))

    with serving("replay", "--speed", "instant", cwd=tmp_path) as player:
        replayed = [post(player.url + PATH, ask(question)) for question in ("a", "b")]
    assert words.splitlines()[-2].startswith("recorded 1 exchange")
    assert "cassette 'default' is replaced: of what it held before, deleted 2 exchanges" in words
    assert [row["id"] for row in listed(tmp_path)] == [3, 4]
    assert replayed[0].chunks == says("new")
    assert replayed[1].status == 404


@pytest.mark.parametrize("questions", [(), ("a",)], ids=["no traffic", "nothing but errors"])
def test_without_a_good_answer_the_old_ones_stay(
    questions: tuple[str, ...], tmp_path: Path
) -> None:
    denied = plain(b'{"error":{"message":"Incorrect API key"}}', status="401 Unauthorized")
    answers: list[Script] = [streamed(says("old"))]
    with Upstream(lambda request: answers[0]) as upstream:
        record(upstream, tmp_path, "a")
        answers[0] = denied
        arguments = ("record", "--rerecord", "--upstream", upstream.origin)
        with serving(*arguments, cwd=tmp_path) as recorder:
            for question in questions:
                post(recorder.url + PATH, ask(question))

    assert recorder.code == 1
    assert "is NOT replaced, what it held before stays: it got no good answer" in recorder.words
    assert models(tmp_path)[0] == (1, "a", "completed")


def test_a_killed_run_leaves_the_old_ones_and_the_next_replaces_both(tmp_path: Path) -> None:
    with Upstream(lambda request: streamed(says("any"))) as upstream:
        record(upstream, tmp_path, "old")
        arguments = ("record", "--rerecord", "--upstream", upstream.origin)
        with serving(*arguments, cwd=tmp_path) as killed:
            post(killed.url + PATH, ask("killed"))
            eventually(lambda: [row["outcome"] for row in listed(tmp_path)] == ["completed"] * 2)
            killed.stop(signal.SIGKILL)
        after_the_kill = models(tmp_path)

        words = record(upstream, tmp_path, "new", options=("--rerecord",))

    assert after_the_kill == [(1, "old", "completed"), (2, "killed", "completed")]
    assert "deleted 2 exchanges" in words
    assert models(tmp_path) == [(3, "new", "completed")]


def test_what_an_earlier_run_still_has_open_stays(tmp_path: Path) -> None:
    go_on = threading.Event()

    def script(request: Received) -> Script:
        first, last = (Send(chunk(data)) for data in says("any"))
        waits = [Wait(go_on)] if b"slow" in request.body else []
        return [Send(STREAM_HEAD), first, *waits, last, Send(LAST_CHUNK)]

    with Upstream(script) as upstream:
        record(upstream, tmp_path, "old")
        with serving("record", "--upstream", upstream.origin, cwd=tmp_path) as earlier:
            asking = threading.Thread(target=post, args=(earlier.url + PATH, ask("slow")))
            asking.start()
            eventually(lambda: len(listed(tmp_path)) == 2)

            words = record(upstream, tmp_path, "new", options=("--rerecord",))

            go_on.set()
            asking.join()

    assert "1 exchange is still running, so not deleted" in words
    assert models(tmp_path) == [(2, "slow", "completed"), (3, "new", "completed")]


def test_recordings_are_not_replaced_by_what_cannot_be_replayed(tmp_path: Path) -> None:
    ended = run("record", "--rerecord", "--no-bodies", cwd=tmp_path)

    assert ended.returncode == 2
    assert "--no-bodies" in ended.stderr
    assert list(tmp_path.glob("*.db*")) == []
