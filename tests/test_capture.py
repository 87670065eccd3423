"""What one read brought has one time, whatever was done between its chunks."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

from replayproxy.capture import Capture
from replayproxy.model import Chunk
from replayproxy.store import Tape
from tests.builders import a_request


def a_capture(
    read: Callable[[], object], lose: Callable[[str], None] = lambda reason: None
) -> Capture:
    tape = Tape(
        fits=lambda size: True,
        submit=lambda tape, size: None,
        request=a_request(),
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
        cassette="default",
    )
    return Capture(tape, start_ns=0, lose=lose, read=read)


def times(capture: Capture) -> list[int]:
    return [item.offset_ns for item in capture.tape.items if isinstance(item, Chunk)]


def test_chunks_of_one_read_share_their_time_and_those_of_the_next_do_not() -> None:
    async def teed() -> list[int]:
        reads = iter([1, 1, 2])
        capture = a_capture(lambda: next(reads))
        for data in (b"a", b"b", b"c"):
            assert capture.tee(data) == data
        return times(capture)

    first, second, third = asyncio.run(teed())

    assert first == second < third


def test_where_reads_cannot_be_told_apart_each_chunk_has_its_own_time() -> None:
    async def teed() -> list[int]:
        capture = a_capture(lambda: None)
        capture.tee(b"a")
        capture.tee(b"b")
        return times(capture)

    first, second = asyncio.run(teed())

    assert first < second


def test_the_head_and_what_came_with_it_share_their_time() -> None:
    async def teed() -> tuple[int, list[int]]:
        reads = iter([1, 2])
        capture = a_capture(lambda: next(reads))
        head_ns = capture.offset_ns()
        capture.tee(b"with it")
        await asyncio.sleep(0)
        capture.tee(b"later")
        return head_ns, times(capture)

    head_ns, (with_it, later) = asyncio.run(teed())

    assert head_ns == with_it < later


def test_the_end_of_a_body_is_no_chunk() -> None:
    async def teed() -> list[int]:
        capture = a_capture(lambda: 1)
        assert capture.tee(b"") == b""
        return times(capture)

    assert asyncio.run(teed()) == []


def test_a_fault_loses_the_recording_and_hands_on_the_bytes() -> None:
    lost: list[str] = []

    def faulty() -> object:
        raise RuntimeError("no such thing")

    async def teed() -> bytes:
        return a_capture(faulty, lost.append).tee(b"bytes")

    assert asyncio.run(teed()) == b"bytes"
    assert lost == ["RuntimeError('no such thing')"]
