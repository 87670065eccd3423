"""Whatever is streamed, however it is framed: the client gets it, and gets it again."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from replayproxy.store import Store
from tests.end_to_end.commands import serving
from tests.end_to_end.torture import FRAMINGS, streams
from tests.end_to_end.upstream import Received, Script, Send, Upstream
from tests.end_to_end.wire import Answer, post

STREAMS = streams()


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One stream in one framing: what was sent, received, and received again."""

    script: Script
    live: Answer
    replayed: Answer
    stored: bytes
    outcome: str


def path_of(stream: str, framing: str) -> str:
    names = (str(list(STREAMS).index(stream)), str(list(FRAMINGS).index(framing)))
    return f"/{'/'.join(names)}/v1/chat/completions"


def script_for(request: Received) -> Script:
    _, stream, framing, *_ = request.target.split("/")
    return list(FRAMINGS.values())[int(framing)](list(STREAMS.values())[int(stream)])


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Case]:
    """All of them, by path; recorded in one run, replayed in another."""
    folder: Path = tmp_path_factory.mktemp("framings")
    paths = [path_of(stream, framing) for stream in STREAMS for framing in FRAMINGS]
    with (
        Upstream(script_for) as upstream,
        serving("record", "--upstream", upstream.origin, cwd=folder) as recorder,
    ):
        live = {path: post(recorder.url + path, {"stream": True}) for path in paths}
    assert recorder.code == 0, recorder.words
    with serving("replay", "--speed", "instant", cwd=folder) as player:
        replayed = {path: post(player.url + path, {"stream": True}) for path in paths}
    assert len(upstream.requests) == len(paths)
    with Store(folder / "replayproxy.db") as store:
        rows = {row["path"]: row for row in store.rows()}
        stored = {path: store.chunks(row["id"]) for path, row in rows.items()}
    return {
        path: Case(
            script=script_for(received),
            live=live[path],
            replayed=replayed[path],
            stored=b"".join(chunk.data for chunk in stored[path]),
            outcome=rows[path]["outcome"],
        )
        for path, received in zip(paths, upstream.requests, strict=True)
    }


def sent_body(script: Script) -> bytes:
    """What the script sends after its head, chunk marks taken off."""
    sent = b"".join(step.data for step in script if isinstance(step, Send))
    head, _, body = sent.partition(b"\r\n\r\n")
    if b"chunked" not in head:
        return body
    pieces = []
    while body:
        size, _, rest = body.partition(b"\r\n")
        pieces.append(rest[: int(size, 16)])
        body = rest[int(size, 16) + 2 :]
    return b"".join(pieces)


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("stream", STREAMS)
def test_the_same_bytes_reach_the_client_live_and_again(
    stream: str, framing: str, cases: dict[str, Case]
) -> None:
    case = cases[path_of(stream, framing)]
    expected = sent_body(case.script)

    assert case.live.body == expected
    assert case.stored == expected
    assert case.replayed.body == expected
    assert case.live.whole
    assert case.replayed.whole
    assert case.outcome in {"completed", "upstream_closed"}


@pytest.mark.parametrize("framing", ["as events", "torn", "compressed"])
@pytest.mark.parametrize("stream", STREAMS)
def test_chunks_keep_their_borders(stream: str, framing: str, cases: dict[str, Case]) -> None:
    case = cases[path_of(stream, framing)]

    assert case.replayed.chunks == case.live.chunks
