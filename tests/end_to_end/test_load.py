"""Size, and a disk that does not keep up: the client never notices."""

import json
import os
import resource
import signal
import sqlite3
import sys
import threading
from pathlib import Path

import pytest

from tests.end_to_end.commands import Child, body_of, listed, serving, shown
from tests.end_to_end.upstream import (
    STREAM_HEAD,
    Received,
    Script,
    Send,
    Upstream,
    chunk,
    plain,
    streamed,
)
from tests.end_to_end.wire import Answer, post

PATH = "/v1/chat/completions"
ASK = {"model": "gpt-x", "stream": True, "messages": []}
EVENT = b'data: {"id":"1","model":"gpt-x","choices":[{"index":0,"delta":{"content":"%d"}}]}\n\n'
DONE = b"data: [DONE]\n\n"
MEGABYTE = 1024 * 1024


def peak_memory(child: Child) -> int:
    """The most memory the process ever had, in bytes."""
    status = Path(f"/proc/{child.process.pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024


on_linux = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="reads /proc and sets another process's limits"
)


@on_linux
def test_a_stream_of_100_000_events_needs_little_memory(tmp_path: Path) -> None:
    # in writes of 100 chunks, as a fast server's socket brings them
    script = [
        Send(STREAM_HEAD),
        *(
            Send(b"".join(chunk(EVENT % n) for n in range(start, start + 100)))
            for start in range(0, 100_000, 100)
        ),
        Send(chunk(DONE) + b"0\r\n\r\n"),
    ]
    expected = b"".join(EVENT % n for n in range(100_000)) + DONE
    with (
        Upstream(lambda request: script) as upstream,
        serving("record", "--upstream", upstream.origin, cwd=tmp_path) as recorder,
    ):
        post(recorder.url + PATH, ASK, stop_after=EVENT % 0)  # warm, and cut off
        before = peak_memory(recorder)
        live = post(recorder.url + PATH, ASK)
        grown = peak_memory(recorder) - before

    assert live.body == expected
    assert body_of(2, tmp_path) == expected
    row = listed(tmp_path)[1]
    # a chunk whose bytes came in two reads is two; none is ever joined
    assert row["chunk_count"] >= 100_001
    assert row["outcome"] == "completed"
    assert grown < 10 * len(expected)


def test_an_event_of_8_megabytes_and_a_request_of_20_pass_and_are_kept(tmp_path: Path) -> None:
    text = os.urandom(4 * MEGABYTE).hex()
    event = (
        b"data: %b\n\n"
        % json.dumps(
            {"model": "gpt-x", "choices": [{"index": 0, "delta": {"content": text}}]}
        ).encode()
    )
    image = os.urandom(10 * MEGABYTE).hex()
    request = {"model": "gpt-x", "stream": True, "messages": [{"role": "user", "content": image}]}
    with (
        Upstream(lambda received: streamed([event, DONE])) as upstream,
        serving("record", "--upstream", upstream.origin, cwd=tmp_path) as recorder,
    ):
        live = post(recorder.url + PATH, request)
    with serving("replay", "--speed", "instant", cwd=tmp_path) as player:
        replayed = post(player.url + PATH, request)

    assert live.body == replayed.body == event + DONE
    assert upstream.requests[0].body == body_of(1, tmp_path, "request")
    assert listed(tmp_path)[0]["request_bytes"] > 20 * MEGABYTE


def test_a_body_that_is_sent_ten_times_is_stored_once(tmp_path: Path) -> None:
    request = {"model": "gpt-x", "image": os.urandom(500_000).hex()}
    with (
        Upstream(lambda received: plain(b"{}")) as upstream,
        serving("record", "--upstream", upstream.origin, cwd=tmp_path) as recorder,
    ):
        for _ in range(10):
            post(recorder.url + PATH, request)

    assert len(listed(tmp_path)) == 10
    assert (tmp_path / "replayproxy.db").stat().st_size < 1.5 * MEGABYTE


def ask_many(url: str, count: int) -> list[Answer]:
    return [post(url + PATH, {**ASK, "n": number}) for number in range(count)]


def numbered(request: Received) -> Script:
    return streamed([EVENT % json.loads(request.body)["n"], DONE])


def test_a_locked_database_holds_up_nobody_and_nothing_is_lost(tmp_path: Path) -> None:
    with (
        Upstream(numbered) as upstream,
        serving("record", "--upstream", upstream.origin, cwd=tmp_path) as recorder,
    ):
        holder = sqlite3.connect(tmp_path / "replayproxy.db", isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        answers = ask_many(recorder.url, 20)  # all of them while nothing can be written
        during = listed(tmp_path)
        holder.execute("ROLLBACK")
        holder.close()

    assert [answer.body for answer in answers] == [EVENT % n + DONE for n in range(20)]
    assert during == []
    assert recorder.code == 0
    assert [row["outcome"] for row in listed(tmp_path)] == ["completed"] * 20
    assert body_of(20, tmp_path) == EVENT % 19 + DONE


@on_linux
def test_a_full_disk_costs_no_byte_and_recording_goes_on_once_there_is_room(
    tmp_path: Path,
) -> None:
    with (
        Upstream(numbered) as upstream,
        serving("record", "--upstream", upstream.origin, cwd=tmp_path) as recorder,
    ):
        ask_many(recorder.url, 1)
        wait_for_rows(tmp_path, 1)
        # no file of this process may grow any more: its writes fail as on a full disk
        _, most = resource.prlimit(recorder.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(recorder.process.pid, resource.RLIMIT_FSIZE, (0, most))
        answers = ask_many(recorder.url, 20)
        resource.prlimit(recorder.process.pid, resource.RLIMIT_FSIZE, (most, most))
        wait_for_rows(tmp_path, 21)

    assert [answer.body for answer in answers] == [EVENT % n + DONE for n in range(20)]
    assert recorder.code == 0
    assert [row["outcome"] for row in listed(tmp_path)] == ["completed"] * 21
    assert recorder.words.count("cannot be written") <= 1
    with sqlite3.connect(tmp_path / "replayproxy.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


def wait_for_rows(folder: Path, count: int) -> None:
    for _ in range(100):
        if sum(row["outcome"] is not None for row in listed(folder)) >= count:
            return
    raise AssertionError(f"there are not {count} exchanges")


def test_killed_again_and_again_the_database_stays_whole(tmp_path: Path) -> None:
    def script(request: Received) -> Script:
        return [Send(STREAM_HEAD), *(Send(chunk(EVENT % n), after_s=0.005) for n in range(2000))]

    with Upstream(script) as upstream:
        for round_number in range(3):
            with serving("record", "--upstream", upstream.origin, cwd=tmp_path) as recorder:
                asking = [
                    threading.Thread(target=post, args=(recorder.url + PATH, ASK)) for _ in range(8)
                ]
                for thread in asking:
                    thread.start()
                while len(listed(tmp_path)) < 8 * (round_number + 1):
                    assert recorder.process.poll() is None
                recorder.stop(signal.SIGKILL)
                for thread in asking:
                    thread.join()
        with serving("record", "--upstream", upstream.origin, cwd=tmp_path):
            pass

    with sqlite3.connect(tmp_path / "replayproxy.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("SELECT count(*) FROM journal").fetchone() == (0,)
    connection.close()
    whole = b"".join(EVENT % n for n in range(2000))
    rows = listed(tmp_path)
    assert [row["outcome"] for row in rows] == ["interrupted"] * 24
    for row in rows[::5]:
        assert whole.startswith(body_of(row["id"], tmp_path))
        assert len(shown(row["id"], tmp_path)["chunks"]) == row["chunk_count"]
