"""`replayproxy record` as its users meet it: every way a stream can end, and itself."""

import signal
import sqlite3
import stat
import threading
from pathlib import Path

import pytest

from tests.end_to_end.commands import PATIENCE_S, body_of, listed, mitmdump, run, serving, shown
from tests.end_to_end.upstream import (
    STREAM_HEAD,
    Close,
    Received,
    Reset,
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
ASK = {"model": "gpt-x", "stream": True, "messages": [{"role": "user", "content": "hi"}]}
EVENT = b'data: {"id":"1","model":"gpt-x","choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'
DONE = b"data: [DONE]\n\n"


def test_the_line_that_says_where_it_listens_holds_no_other_url(tmp_path: Path) -> None:
    with serving("record", "--upstream", "http://127.0.0.1:9", cwd=tmp_path) as recorder:
        pass

    (line,) = [line for line in recorder.words.splitlines() if "listening on" in line]
    assert line.endswith(f"listening on {recorder.url}")
    assert line.count("http") == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_a_summary(number: signal.Signals, tmp_path: Path) -> None:
    with (
        Upstream(lambda request: streamed([EVENT, DONE])) as upstream,
        serving("record", "--upstream", upstream.origin, cwd=tmp_path) as recorder,
    ):
        post(recorder.url + PATH, ASK)

        assert recorder.stop(number) == 0

    assert recorder.words.splitlines()[-1] == "recorded 1 exchange into replayproxy.db"


def test_a_running_stream_may_end_before_the_recorder_does(tmp_path: Path) -> None:
    go_on = threading.Event()

    def script(request: Received) -> Script:
        return [Send(STREAM_HEAD + chunk(EVENT)), Wait(go_on), Send(chunk(DONE) + b"0\r\n\r\n")]

    with (
        Upstream(script) as upstream,
        serving("record", "--upstream", upstream.origin, cwd=tmp_path) as recorder,
    ):
        asking = threading.Thread(target=post, args=(recorder.url + PATH, ASK))
        asking.start()
        wait_for_exchanges(tmp_path)
        recorder.process.send_signal(signal.SIGTERM)
        go_on.set()
        asking.join()

        assert recorder.stop() == 0

    (row,) = listed(tmp_path)
    assert row["outcome"] == "completed"


def test_a_second_signal_ends_it_at_once_and_the_stream_is_interrupted(tmp_path: Path) -> None:
    never = threading.Event()

    def script(request: Received) -> Script:
        return [Send(STREAM_HEAD + chunk(EVENT)), Wait(never)]

    with (
        Upstream(script) as upstream,
        serving("record", "--grace", "60", "--upstream", upstream.origin, cwd=tmp_path) as recorder,
    ):
        asking = threading.Thread(target=post, args=(recorder.url + PATH, ASK))
        asking.start()
        wait_for_exchanges(tmp_path)
        recorder.process.send_signal(signal.SIGTERM)
        recorder.process.send_signal(signal.SIGINT)

        assert recorder.stop() == 0
        asking.join()
        never.set()

    (row,) = listed(tmp_path)
    assert row["outcome"] == "interrupted"
    assert body_of(1, tmp_path) == EVENT


def wait_for_exchanges(folder: Path) -> None:
    """Until the first exchange can be seen with its first bytes."""
    for _ in range(100):
        if listed(folder) and shown(1, folder)["chunks"]:
            return
    raise AssertionError("nothing was recorded")


def test_files_are_for_their_owner_only(tmp_path: Path) -> None:
    with serving("record", "--upstream", "http://127.0.0.1:9", cwd=tmp_path):
        modes = {
            path.name: stat.S_IMODE(path.stat().st_mode)
            for path in tmp_path.glob("replayproxy.db*")
        }

    assert modes == {
        "replayproxy.db": 0o600,
        "replayproxy.db-run-1": 0o600,
        "replayproxy.db-shm": 0o600,
        "replayproxy.db-wal": 0o600,
    }
    assert stat.S_IMODE((tmp_path / "home").stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("script", "outcome", "ending"),
    [
        pytest.param(
            [Send(STREAM_HEAD + chunk(EVENT) + chunk(DONE) + b"0\r\n\r\n")],
            "completed",
            "finished",
            id="in one write",
        ),
        pytest.param(
            [Send(STREAM_HEAD), Send(chunk(EVENT)), Reset()],
            "upstream_closed",
            "upstream_closed",
            id="reset",
        ),
        pytest.param(
            [Send(STREAM_HEAD), Send(chunk(EVENT)), Close()],
            "upstream_closed",
            "upstream_closed",
            id="closed in mid-stream",
        ),
        pytest.param(
            streamed([EVENT]), "upstream_closed", "finished", id="no terminal of the protocol"
        ),
        pytest.param(
            plain(b'{"error":{"message":"slow down"}}', status="429 Too Many Requests"),
            "completed",
            "finished",
            id="an error",
        ),
        pytest.param(
            [
                Send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + EVENT + DONE),
                Close(),
            ],
            "completed",
            "finished",
            id="delimited by the end of the connection",
        ),
        pytest.param(
            [Send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"), Close()],
            "upstream_closed",
            "upstream_closed",
            id="shorter than its length",
        ),
    ],
)
def test_every_ending_is_recorded_and_replayed_as_it_was(
    script: Script, outcome: str, ending: str, tmp_path: Path
) -> None:
    with (
        Upstream(lambda request: script) as upstream,
        serving("record", "--upstream", upstream.origin, cwd=tmp_path) as recorder,
    ):
        live = post(recorder.url + PATH, ASK)
    with serving("replay", "--speed", "instant", cwd=tmp_path) as player:
        replayed = post(player.url + PATH, ASK)

    exchange = shown(1, tmp_path)
    assert (exchange["outcome"], exchange["ending"]) == (outcome, ending)
    assert replayed.status == live.status
    assert replayed.body == live.body
    assert replayed.whole == live.whole == (ending == "finished")
    assert len(upstream.requests) == 1


def test_a_client_that_hangs_up_is_not_the_streams_end(tmp_path: Path) -> None:
    never = threading.Event()

    def script(request: Received) -> Script:
        return [Send(STREAM_HEAD), Send(chunk(EVENT)), Send(chunk(EVENT)), Wait(never)]

    with (
        Upstream(script) as upstream,
        serving("record", "--upstream", upstream.origin, cwd=tmp_path) as recorder,
    ):
        post(recorder.url + PATH, ASK, stop_after=EVENT * 2)

        assert upstream.client_left.wait(PATIENCE_S)
        never.set()

    with serving("replay", "--speed", "instant", cwd=tmp_path) as player:
        replayed = post(player.url + PATH, ASK)
    assert listed(tmp_path)[0]["outcome"] == "client_closed"
    assert replayed.body == EVENT * 2
    assert not replayed.whole


@pytest.mark.parametrize("late_s", [0.0, 0.002, 0.05, 0.3])
def test_a_client_that_closes_on_done_has_it_all(late_s: float, tmp_path: Path) -> None:
    def script(request: Received) -> Script:
        return [
            Send(STREAM_HEAD),
            Send(chunk(EVENT)),
            Send(chunk(DONE)),
            Send(b"0\r\n\r\n", after_s=late_s),
        ]

    with (
        Upstream(script) as upstream,
        serving("record", "--upstream", upstream.origin, cwd=tmp_path) as recorder,
    ):
        post(recorder.url + PATH, ASK, stop_after=DONE)
    with serving("replay", "--speed", "instant", cwd=tmp_path) as player:
        replayed = post(player.url + PATH, ASK)

    assert listed(tmp_path)[0]["outcome"] == "completed"
    assert replayed.body == EVENT + DONE
    assert replayed.whole


def test_an_upstream_that_refuses_is_a_502_and_an_exchange_that_says_why(tmp_path: Path) -> None:
    with Upstream(lambda request: []) as upstream:
        origin = upstream.origin
    with serving("record", "--upstream", origin, cwd=tmp_path) as recorder:
        answer = post(recorder.url + PATH, ASK)

    (row,) = listed(tmp_path)
    assert answer.status == 502
    assert recorder.code == 0
    assert row["status"] is None
    assert row["outcome"] == "upstream_closed"
    assert "refused" in row["error"] or "Connect" in row["error"]


def test_a_killed_recorder_loses_no_committed_byte_and_says_so_at_the_next_start(
    tmp_path: Path,
) -> None:
    never = threading.Event()

    def script(request: Received) -> Script:
        return [Send(STREAM_HEAD), *[Send(chunk(EVENT))] * 20, Wait(never)]

    with Upstream(script) as upstream:
        with serving("record", "--upstream", upstream.origin, cwd=tmp_path) as recorder:
            asking = threading.Thread(target=post, args=(recorder.url + PATH, ASK))
            asking.start()
            while not listed(tmp_path) or len(shown(1, tmp_path)["chunks"]) < 20:
                assert asking.is_alive()
            recorder.stop(signal.SIGKILL)
            asking.join()
        never.set()
        with serving("record", "--upstream", upstream.origin, cwd=tmp_path) as next_start:
            pass

    (row,) = listed(tmp_path)
    assert "1 exchange of a recorder that was killed" in next_start.words
    assert row["outcome"] == "interrupted"
    assert row["response_model"] == "gpt-x"
    assert body_of(1, tmp_path) == EVENT * 20
    with serving("replay", cwd=tmp_path) as player:
        assert post(player.url + PATH, ASK).status == 404


def test_a_living_recorders_exchanges_are_left_alone_by_another(tmp_path: Path) -> None:
    go_on = threading.Event()

    def script(request: Received) -> Script:
        return [Send(STREAM_HEAD + chunk(EVENT)), Wait(go_on), Send(chunk(DONE) + b"0\r\n\r\n")]

    with (
        Upstream(script) as upstream,
        serving("record", "--upstream", upstream.origin, cwd=tmp_path) as first,
    ):
        asking = threading.Thread(target=post, args=(first.url + PATH, ASK))
        asking.start()
        wait_for_exchanges(tmp_path)
        with serving("record", "--upstream", upstream.origin, cwd=tmp_path):
            during = listed(tmp_path)[0]["outcome"]
        go_on.set()
        asking.join()

    assert during is None
    assert listed(tmp_path)[0]["outcome"] == "completed"


def test_the_forward_proxy_records_llm_traffic_and_lets_the_rest_pass(tmp_path: Path) -> None:
    with (
        Upstream(lambda request: plain(b'{"ok":true}')) as upstream,
        serving("record", cwd=tmp_path) as recorder,
    ):
        recorded = post(upstream.origin + PATH, ASK, tunnel=recorder.url)
        passed = post(upstream.origin + "/private", {"password": "x"}, tunnel=recorder.url)

    assert (recorded.status, passed.status) == (200, 200)
    assert [row["path"] for row in listed(tmp_path)] == [PATH]


def test_it_works_as_a_stock_addon(tmp_path: Path) -> None:
    with Upstream(lambda request: streamed([EVENT, DONE])) as upstream:
        mode = f"--mode=reverse:{upstream.origin}"
        with mitmdump("recorder", mode, cwd=tmp_path) as recorder:
            answer = post(recorder.url + PATH, ASK)

    assert answer.chunks == [EVENT, DONE]
    assert listed(tmp_path)[0]["outcome"] == "completed"
    assert body_of(1, tmp_path) == EVENT + DONE


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        pytest.param(["record", "--upstream", "api.openai.com"], 2, "is not a URL", id="no URL"),
        pytest.param(["record", "--listen", "nowhere"], 2, "HOST:PORT", id="no address"),
        pytest.param(["record", "--listen", "0.0.0.0:0"], 2, "--expose", id="exposed"),
        pytest.param(["record", "--db", "/proc/none/x.db"], 3, "/proc/none", id="no such folder"),
        pytest.param(["replay", "--db", "missing.db"], 3, "does not exist", id="no database"),
        pytest.param(["replay", "--speed", "fast"], 2, "is not a speed", id="no speed"),
        pytest.param(["show", "7"], 3, "does not exist", id="nothing to show"),
        pytest.param(["list", "--db", "."], 3, "it is a folder", id="a folder"),
    ],
)
def test_a_foreseeable_fault_is_one_clear_line(
    arguments: list[str], code: int, words: str, tmp_path: Path
) -> None:
    ended = run(*arguments, cwd=tmp_path)

    assert ended.returncode == code
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not list(tmp_path.glob("*.db*"))


@pytest.mark.parametrize("command", ["record", "replay"])
def test_a_port_in_use_is_one_clear_line(command: str, tmp_path: Path) -> None:
    with serving("record", "--upstream", "http://127.0.0.1:9", cwd=tmp_path) as holder:
        address = holder.url.removeprefix("http://")

        ended = run(command, "--listen", address, cwd=tmp_path)

    assert ended.returncode == 1
    assert f"cannot listen on {address}" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("command", ["record", "replay", "list", "dashboard"])
@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0" + bytes(600), b"words\n" * 200])
def test_a_file_that_is_no_database_is_refused_and_left_as_it_was(
    command: str, content: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "replayproxy.db"
    path.write_bytes(content)

    ended = run(command, cwd=tmp_path)

    assert ended.returncode == 3
    assert "cannot use the database replayproxy.db" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert path.read_bytes() == content


def test_another_programs_database_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "replayproxy.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE mine (x)")
    connection.close()
    before = path.read_bytes()

    ended = run("record", cwd=tmp_path)

    assert ended.returncode == 3
    assert "some other program" in ended.stderr
    assert path.read_bytes() == before


def test_a_stock_addon_refuses_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "replayproxy.db").write_text("mine")

    with mitmdump("recorder", "--mode=reverse:http://127.0.0.1:9", cwd=tmp_path) as refused:
        refused.process.wait(PATIENCE_S)

    assert refused.code == 1
    assert "cannot use the database replayproxy.db" in refused.words
    assert "Traceback" not in refused.words
    assert (tmp_path / "replayproxy.db").read_text() == "mine"
    assert [path.name for path in tmp_path.glob("*.db*")] == ["replayproxy.db"]
