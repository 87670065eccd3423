"""Where a stream stood still, told the same by the row and by the waterfall."""

from hypothesis import given
from hypothesis import strategies as st

from replayproxy.dashboard.waterfall import ticks
from replayproxy.model import Chunk
from replayproxy.rhythm import Rhythm, rhythm

MS = 1_000_000


def test_one_chunk_has_no_rhythm() -> None:
    assert rhythm([]) == rhythm([7 * MS]) == Rhythm()


def test_a_long_gap_is_no_stall_of_a_stream_that_is_always_slow() -> None:
    assert rhythm([at * 400 * MS for at in range(5)]) == Rhythm(longest_gap_ms=400.0, stalls=0)


@given(st.lists(st.integers(0, 3_000), min_size=2, max_size=40))
def test_the_waterfall_marks_as_many_stalls(gaps_ms: list[int]) -> None:
    offsets = [sum(gaps_ms[: n + 1]) * MS for n in range(len(gaps_ms))]

    found = ticks([Chunk(offset_ns=at, data=b"x") for at in offsets], headers_ms=0.0)

    assert rhythm(offsets).stalls == sum(tick.pace == "stall" for tick in found)
