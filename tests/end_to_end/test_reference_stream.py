"""The promise, on the reference stream: same bytes, same chunks, never early."""

import itertools
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.end_to_end import reference
from tests.end_to_end.commands import body_of, listed, serving, shown
from tests.end_to_end.upstream import Upstream
from tests.end_to_end.wire import Answer, post

PATH = "/v1/chat/completions"
EXPECTED = [data for _, data in reference.writes()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """The stream, recorded once; its upstream is gone."""

    folder: Path
    live: Answer
    upstream: Upstream


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    folder = tmp_path_factory.mktemp("reference")
    with Upstream(lambda request: reference.script()) as upstream:
        with serving("record", "--upstream", upstream.origin, cwd=folder) as recorder:
            live = post(recorder.url + PATH, reference.REQUEST)
        assert recorder.code == 0, recorder.words
    return Recorded(folder=folder, live=live, upstream=upstream)


def test_the_client_of_a_recording_gets_the_upstreams_chunks(recorded: Recorded) -> None:
    answer = recorded.live

    assert len(recorded.upstream.requests) == 1
    assert answer.status == 200
    assert answer.whole
    assert len(EXPECTED) == reference.CHUNKS
    assert answer.chunks == EXPECTED


def test_what_was_recorded_is_what_was_on_the_wire(recorded: Recorded) -> None:
    (row,) = listed(recorded.folder)
    exchange = shown(1, recorded.folder)
    assert row["outcome"] == "completed"
    assert (row["input_tokens"], row["output_tokens"]) == (11, 60)
    assert row["finish_reason"] == "stop"
    assert row["chunk_count"] == reference.CHUNKS
    assert body_of(1, recorded.folder) == b"".join(EXPECTED)
    assert [entry["length"] for entry in exchange["chunks"]] == [len(data) for data in EXPECTED]


def test_recorded_offsets_follow_the_upstreams_schedule(recorded: Recorded) -> None:
    offsets_s = [entry["offset_ns"] / 1e9 for entry in shown(1, recorded.folder)["chunks"]]
    planned_s = list(itertools.accumulate(gap for gap, _ in reference.writes()))
    # nothing is ever seen before it was sent; how much later is the benchmark's question
    assert all(seen >= sent for seen, sent in zip(offsets_s, planned_s, strict=True))


def test_a_replay_gives_the_same_chunks_none_of_them_early_and_asks_nobody(
    recorded: Recorded,
) -> None:
    live, upstream = recorded.live, recorded.upstream
    offsets_s = [entry["offset_ns"] / 1e9 for entry in shown(1, recorded.folder)["chunks"]]

    with serving("replay", "--upstream", upstream.origin, cwd=recorded.folder) as player:
        replayed = post(player.url + PATH, reference.REQUEST)

    assert replayed.status == 200
    assert replayed.whole
    assert replayed.chunks == live.chunks
    assert replayed.headers["x-replayproxy"] == "hit"
    assert replayed.headers["x-replayproxy-exchange"] == "1"
    assert replayed.headers["content-type"] == live.headers["content-type"]
    assert replayed.headers["x-request-id"] == live.headers["x-request-id"]
    assert all(seen >= due for seen, due in zip(replayed.times_s, offsets_s, strict=True))
    assert len(upstream.requests) == 1


def test_an_instant_replay_keeps_the_chunks_and_takes_no_time(recorded: Recorded) -> None:
    with serving("replay", "--speed", "instant", cwd=recorded.folder) as player:
        replayed = post(player.url + PATH, reference.REQUEST)

    assert replayed.chunks == EXPECTED
    assert replayed.whole
    assert replayed.times_s[-1] < 1.0  # it took 2.4 s to record


def test_a_replay_through_interception_gives_the_same_chunks(recorded: Recorded) -> None:
    with serving("replay", cwd=recorded.folder) as player:
        url = f"http://api.example.invalid:80{PATH}"
        replayed = post(url, reference.REQUEST, tunnel=player.url)

    assert replayed.chunks == recorded.live.chunks
    assert replayed.whole
    assert replayed.headers["x-replayproxy"] == "hit"
