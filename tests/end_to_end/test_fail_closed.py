"""Replaying fails closed: whatever breaks, nobody is connected to, and nothing is made up."""

import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.commands import PATIENCE_S, environment, serving
from tests.end_to_end.faults import faulty
from tests.end_to_end.in_process import playing
from tests.end_to_end.upstream import Upstream, streamed
from tests.end_to_end.wire import Answer, post

PATH = "/v1/chat/completions"
EVENT = b'data: {"model":"gpt-x","choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n'
CHUNKS = [EVENT, EVENT[:9], EVENT[9:], b"data: [DONE]\n\n"]
KNOWN = {"model": "gpt-x", "stream": True, "messages": []}
UNKNOWN = {**KNOWN, "seed": 1}


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upstream]:
    """It answers, should anybody ask."""
    with Upstream(lambda request: streamed(CHUNKS)) as running:
        yield running


@pytest.fixture(scope="module")
def recorded(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recorded")
    with serving("record", "--upstream", upstream.origin, cwd=folder) as recorder:
        assert post(recorder.url + PATH, KNOWN).chunks == CHUNKS
    return folder


def ask(url: str, body: Any, *, tunnel: str | None = None, ca: Path | None = None) -> Answer:
    """An answer without a status where there was none."""
    try:
        return post(url, body, tunnel=tunnel, authority=ca)
    except (OSError, AssertionError):  # hung up on, at the latest when asking for a tunnel
        return Answer()


def ask_all(url: str, upstream: Upstream, folder: Path) -> list[Answer]:
    """What is recorded, then what is not, in every way in."""
    ca = folder / "home" / "mitmproxy-ca-cert.pem"
    named = upstream.origin + PATH
    return [
        answer
        for body in (KNOWN, UNKNOWN)
        for answer in (
            ask(url + PATH, body),
            ask(named, body, tunnel=url),
            ask(named.replace("http:", "https:"), body, tunnel=url, ca=ca),
        )
    ]


def faults(text: str) -> list[str]:
    return [
        f"replayproxy.{module}.{name}"
        for module, *names in (line.split() for line in text.strip().splitlines())
        for name in names
    ]


def broken(fault: str, nth: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a function fail at its n-th call, or (0) at each."""
    owner: Any = pkgutil.resolve_name(fault.rpartition(".")[0])
    name = fault.rpartition(".")[2]
    original, calls = getattr(owner, name), count(1)

    def faulty(*arguments: Any, **more: Any) -> Any:
        if not nth or next(calls) == nth:
            raise RuntimeError("injected")
        return original(*arguments, **more)

    monkeypatch.setattr(owner, name, faulty)


TOLD = faults("""
    isolation split_token
    session Session.answer match_key
    store.library Library.recorded
    store.match_index find
    serving.player Player._hit
""")
"""Where every request is told that it could not be replayed."""


@pytest.mark.parametrize("fault", TOLD)
def test_a_fault_is_a_clear_answer_and_no_connection(
    fault: str, recorded: Path, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = upstream.connections

    with playing(recorded) as url:
        broken(fault, 0, monkeypatch)
        answers = ask_all(url, upstream, recorded)

    assert {answer.status for answer in answers} == {500}
    assert {answer.headers["x-replayproxy"] for answer in answers} == {"error"}
    assert all("RuntimeError('injected')" in a.json["error"]["message"] for a in answers)
    assert upstream.connections == before


SOME = faults("""
    session Session._play canonical
    store.library Library.recording
    store.exchange_rows rows.exchange_from_row
    store.packing cut
    playback Playlist.next Timeline.at Timeline.__init__
    serving.reply recorded schedule ends_whole _head _chunked _kept problem detect
    explaining explained
    serving.player Player.reply Player._missed Player._told Player._failed Player._tell
    replaying explained _as_replayed
    store.replay_log ReplayLog.add _columns
    serving.origin _Connection._receive _Connection._respond _Connection._play _Connection._write
    serving.origin _Connection._read _Connection._go_on _Connection._begin _Connection._enter_tunnel
    serving.http1 RequestReader.read RequestReader.receive RequestReader._to_request
    serving.timer Timer.until Timer._wait
    serving.tls Tls.__init__ Tls.receive Tls.seal Tls.farewell
    certificates Authority._context
""")
"""Where some get their answer, some are told, and some are hung up on."""


@pytest.mark.parametrize("fault", SOME)
@pytest.mark.parametrize("nth", [0, 2])
def test_no_fault_makes_an_answer_up_or_a_connection(
    fault: str, nth: int, recorded: Path, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = upstream.connections

    with playing(recorded) as url:
        broken(fault, nth, monkeypatch)
        answers = ask_all(url, upstream, recorded)

    for answer in answers:
        if answer.status == 200 and answer.whole:
            assert answer.chunks == CHUNKS
            assert answer.headers["x-replayproxy"] == "hit"
        elif answer.status in {404, 500}:
            assert answer.json["error"]["message"]
        else:
            assert answer.status in {0, 200}
            assert b"".join(CHUNKS).startswith(answer.body)
    assert not any(answer.status == 200 for answer in answers[3:])
    assert upstream.connections == before


@pytest.mark.parametrize(
    "fault",
    [
        ("replayproxy.session", "Session.answer"),
        ("replayproxy.serving.player", "Player.reply"),
        ("replayproxy.serving.reply", "recorded"),
        ("replayproxy.serving.origin", "_Connection._receive"),
    ],
    ids=".".join,
)
def test_nor_does_it_in_the_command(
    fault: tuple[str, str], recorded: Path, upstream: Upstream
) -> None:
    before = upstream.connections

    with faulty(fault, 0, "replay", "--upstream", upstream.origin, cwd=recorded) as player:
        answers = ask_all(player.url, upstream, recorded)

    assert {answer.status for answer in answers} <= {0, 404, 500}
    assert "injected" in player.words
    assert upstream.connections == before


def test_a_replay_needs_no_network_at_all(recorded: Path) -> None:
    """In a network namespace where the loopback is all there is."""
    inside = subprocess.run(
        [
            "unshare", "--map-root-user", "--net",
            sys.executable, "-m", "tests.end_to_end.without_network", recorded,
        ],
        cwd=Path(__file__).parents[2],
        env=environment(recorded),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S * 2,
        check=False,
    )  # fmt: skip

    assert inside.returncode == 0, inside.stderr
    serving, running = ["200"] * 6 + ["404"] * 6, ["200"] * 3 + ["404"] * 3
    assert inside.stdout.split() == serving + running
