"""Recording fails open: a fault anywhere in the recorder changes no byte for the client."""

from pathlib import Path

import pytest

from tests.end_to_end.commands import Child, body_of, listed
from tests.end_to_end.faults import faulty
from tests.end_to_end.upstream import Upstream, streamed
from tests.end_to_end.wire import Answer, post

PATH = "/v1/chat/completions"
ASK = {"model": "gpt-x", "stream": True, "messages": []}
EVENT = b'data: {"model":"gpt-x","choices":[{"index":0,"delta":{"content":"%d"}}]}\n\n'
CHUNKS = [*(EVENT % number for number in range(8)), b"data: [DONE]\n\n"]
REQUESTS = 3

FAULTS = [
    ("recorder", "to_request"),
    ("recorder", "to_head"),
    ("replayproxy.health", "is_health"),
    ("replayproxy.capture", "Capture.__init__"),
    ("replayproxy.capture", "Capture.offset_ns"),
    ("replayproxy.capture", "Capture._offset_of_read"),
    ("replayproxy.store.tape", "Tape.__init__"),
    ("replayproxy.store.tape", "Tape.head"),
    ("replayproxy.store.tape", "Tape.chunk"),
    ("replayproxy.store.tape", "Tape.end"),
    ("replayproxy.store.writer", "Writer.record"),
    ("replayproxy.store.writer", "Writer._submit"),
    ("replayproxy.store.reel", "Reel.__init__"),
    ("replayproxy.store.reel", "Reel.take"),
    ("replayproxy.store.reel", "Reel.saved"),
    ("replayproxy.store.reel", "minted_answer"),
    ("replayproxy.store.body_secrets", "BodyScan.response"),
    ("replayproxy.store.packing", "pack"),
    ("replayproxy.recording", "Recording.__init__"),
    ("replayproxy.recording", "Recording.chunks"),
    ("replayproxy.recording", "Recording.exchange"),
]

FAULTS_OF_THE_WRITER = [
    ("replayproxy.store.writer", "Writer._store"),
    ("replayproxy.store.writer", "Writer._take"),
    ("replayproxy.store.writer", "Writer._save"),
    ("replayproxy.store.writer", "Writer._count"),
]


def ask_through(fault: tuple[str, str], nth: int, folder: Path) -> tuple[list[Answer], Child]:
    with (
        Upstream(lambda request: streamed(CHUNKS)) as upstream,
        faulty(fault, nth, "record", "--upstream", upstream.origin, cwd=folder) as child,
    ):
        answers = [post(child.url + PATH, ASK) for _ in range(REQUESTS)]
    return answers, child


@pytest.mark.parametrize("fault", FAULTS, ids=".".join)
def test_a_fault_costs_recordings_not_bytes(fault: tuple[str, str], tmp_path: Path) -> None:
    answers, child = ask_through(fault, 2, tmp_path)

    assert [answer.chunks for answer in answers] == [CHUNKS] * REQUESTS
    assert all(answer.whole for answer in answers)
    assert child.code == 1
    assert child.words.count("injected") == 1
    assert "NOT recorded" in child.words.splitlines()[-1]
    assert "completed" in {row["outcome"] for row in listed(tmp_path)}


@pytest.mark.parametrize("fault", FAULTS_OF_THE_WRITER, ids=".".join)
def test_a_fault_of_the_writer_costs_what_it_holds_not_bytes(
    fault: tuple[str, str], tmp_path: Path
) -> None:
    answers, child = ask_through(fault, 1, tmp_path)

    assert [answer.chunks for answer in answers] == [CHUNKS] * REQUESTS
    assert child.code == 1
    assert child.words.count("injected") == 1
    assert "NOT recorded" in child.words.splitlines()[-1]


@pytest.mark.parametrize(
    "fault",
    [
        ("replayproxy.store.writer", "Writer._gather"),
        ("replayproxy.store.writer", "Writer._settle"),
        # while it is stored: all are tried again, one by one
        ("replayproxy.store.reel", "Reel.save"),
        ("replayproxy.store.reel", "redact_headers"),
        ("replayproxy.store.bodies", "put_next"),
        ("replayproxy.store.match_index", "match_key"),
        ("replayproxy.store.rollups", "note"),
        ("replayproxy.store.rows", "rhythm_columns"),
        # beside the recording
        ("replayproxy.routing", "Fence._reason"),
    ],
    ids=".".join,
)
def test_a_fault_of_the_writer_that_costs_nothing_is_told_all_the_same(
    fault: tuple[str, str], tmp_path: Path
) -> None:
    answers, child = ask_through(fault, 1, tmp_path)

    assert [answer.chunks for answer in answers] == [CHUNKS] * REQUESTS
    assert child.code == 0
    assert "injected" in child.words
    assert [row["outcome"] for row in listed(tmp_path)] == ["completed"] * REQUESTS


@pytest.mark.parametrize(
    "fault",
    [
        ("replayproxy.recording", "SSEDecoder.feed"),
        ("replayproxy.protocols.openai_chat", "_Reader.read_event"),
        ("replayproxy.protocols.stencil", "Stencil.text"),
    ],
    ids=".".join,
)
def test_an_answer_that_is_not_understood_is_recorded_all_the_same(
    fault: tuple[str, str], tmp_path: Path
) -> None:
    answers, child = ask_through(fault, 2, tmp_path)

    assert [answer.chunks for answer in answers] == [CHUNKS] * REQUESTS
    assert child.code == 0
    assert "kept, but not understood: RuntimeError('injected')" in child.words
    assert body_of(1, tmp_path) == b"".join(CHUNKS)
    assert [row["outcome"] for row in listed(tmp_path)] == ["completed"] * REQUESTS
