"""Which recording is played, and when each of its chunks leaves."""

import math
from collections.abc import Hashable
from dataclasses import dataclass
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replayproxy.errors import UsageError
from replayproxy.model import Ending, Outcome
from replayproxy.playback import (
    Pace,
    Playlist,
    Repeat,
    Timeline,
    Write,
    ends_whole,
    parse_pace,
    parse_speed,
    schedule,
)
from tests.builders import an_exchange, chunks


@dataclass(frozen=True)
class Ids:
    """A queue of these ids, as the store has one."""

    name: Hashable
    ids: tuple[int, ...]

    def after(self, exchange_id: int) -> int | None:
        return next((found for found in self.ids if found > exchange_id), None)

    def last(self) -> int:
        return self.ids[-1]


def ids(name: str, *found: int) -> Ids:
    return Ids(name, found)


@pytest.mark.parametrize(
    ("repeat", "played"),
    [
        (Repeat.LAST, [3, 5, 9, 9, 9, 9, 9]),
        (Repeat.CYCLE, [3, 5, 9, 3, 5, 9, 3]),
        (Repeat.ERROR, [3, 5, 9, None, None, None, None]),
    ],
)
def test_recordings_are_played_in_their_order_and_then_repeated_as_asked(
    repeat: Repeat, played: list[int | None]
) -> None:
    playlist = Playlist(repeat)

    assert [playlist.next(ids("key", 3, 5, 9)) for _ in range(7)] == played


def test_each_queue_has_its_own_place() -> None:
    playlist = Playlist(Repeat.ERROR)
    one, two = ids("one", 1, 2), ids("two", 3, 4)

    assert [playlist.next(queue) for queue in (one, two, one, two, one)] == [1, 3, 2, 4, None]


def test_recordings_that_are_added_later_are_played_in_their_turn() -> None:
    playlist = Playlist(Repeat.LAST)

    assert [playlist.next(ids("key", *found)) for found in ((1,), (1,), (1, 2, 3))] == [1, 1, 2]


@pytest.mark.parametrize(
    ("repeat", "played"),
    [
        (Repeat.LAST, [2, 1, 3, 3, 3]),
        (Repeat.CYCLE, [2, 1, 3, 1, 3]),
        (Repeat.ERROR, [2, 1, 3, None, 3]),
    ],
)
def test_what_one_queue_has_handed_out_another_can_pass_over(
    repeat: Repeat, played: list[int | None]
) -> None:
    playlist = Playlist(repeat)
    exact, alike = ids("exact", 2, 3), ids("alike", 1, 2, 3)

    first = playlist.next(exact)
    others = [playlist.next(alike, unplayed=True) for _ in range(3)]

    assert [first, *others, playlist.next(exact)] == played


def test_chunks_of_one_time_share_a_write_and_others_never_do() -> None:
    arrived = chunks((10, b"a"), (10, b""), (10, b"b"), (11, b"c"), (2_000_000_000, b"d"))

    assert list(schedule(arrived, Timeline(Pace()))) == [
        Write(at_s=1e-08, parts=(b"a", b"", b"b")),
        Write(at_s=1.1e-08, parts=(b"c",)),
        Write(at_s=2.0, parts=(b"d",)),
    ]
    assert list(schedule((), Timeline(Pace()))) == []


def test_without_waiting_the_writes_are_the_same() -> None:
    arrived = chunks((10, b"a"), (10, b"b"), (3_000_000_000, b"c"))

    assert list(schedule(arrived, Timeline(Pace(speed=math.inf)))) == [
        Write(at_s=0.0, parts=(b"a", b"b")),
        Write(at_s=0.0, parts=(b"c",)),
    ]


@pytest.mark.parametrize(("speed", "seconds"), [(1, 3.0), (2, 1.5), (0.5, 6.0), (math.inf, 0.0)])
def test_a_speed_is_a_factor(speed: float, seconds: float) -> None:
    assert Timeline(Pace(speed=speed)).at(3_000_000_000) == seconds


def due(pace: Pace, *offsets_s: float | None, seed: int = 0) -> list[float]:
    timeline = Timeline(pace, seed=seed)
    return [timeline.at(None if s is None else int(s * 1e9)) for s in offsets_s]


def test_what_has_no_time_of_its_own_is_due_with_what_came_before() -> None:
    assert due(Pace(), None, 2, None, 3) == [0, 2, 2, 3]


def test_a_long_silence_is_cut_and_all_after_it_comes_earlier() -> None:
    assert due(Pace(max_gap_s=1), 0.5, 4.5, 5, 60) == [0.5, 1.5, 2.0, 3.0]
    assert due(Pace(max_gap_s=1, speed=4), 0.5, 4.5, 5, 60) == [0.125, 1.125, 1.25, 2.25]
    assert due(Pace(max_gap_s=0), 1, 2, 3) == [0, 0, 0]


def test_jitter_delays_within_its_bounds_and_is_the_same_each_time() -> None:
    offsets_s = [n / 10 for n in range(50)]

    once = due(Pace(jitter_s=0.01), *offsets_s, seed=7)

    assert once == due(Pace(jitter_s=0.01), *offsets_s, seed=7)
    assert once != due(Pace(jitter_s=0.01), *offsets_s, seed=8)
    late = [at_s - offset_s for at_s, offset_s in zip(once, offsets_s, strict=True)]
    assert 0 <= min(late) < max(late) <= 0.01 + 1e-9


@given(
    st.lists(st.integers(0, 10**12)),
    st.builds(
        Pace,
        speed=st.floats(1e-3, 1e3) | st.just(math.inf),
        max_gap_s=st.floats(0, 1e3) | st.just(math.inf),
        jitter_s=st.floats(0, 10),
    ),
)
def test_nothing_is_due_before_what_came_before_it(offsets_ns: list[int], pace: Pace) -> None:
    timeline = Timeline(pace)

    found = [timeline.at(offset_ns) for offset_ns in offsets_ns]

    assert found == sorted(found)


@given(
    st.lists(st.tuples(st.integers(0, 10**12), st.binary(max_size=5))).map(sorted),
    st.floats(1e-3, 1e3) | st.just(math.inf),
)
def test_no_byte_and_no_boundary_is_lost(arrived: list[tuple[int, bytes]], speed: float) -> None:
    writes = list(schedule(chunks(*arrived), Timeline(Pace(speed=speed))))

    together = [list(group) for _, group in groupby(arrived, key=lambda pair: pair[0])]
    assert [write.parts for write in writes] == [
        tuple(data for _, data in group) for group in together
    ]
    due_s = [group[0][0] / 1e9 / speed for group in together]
    assert [write.at_s for write in writes] == pytest.approx(due_s)


@pytest.mark.parametrize("ending", Ending)
@pytest.mark.parametrize("outcome", Outcome)
def test_what_was_whole_ends_whole(outcome: Outcome, ending: Ending) -> None:
    whole = outcome is Outcome.COMPLETED or ending is Ending.FINISHED

    assert ends_whole(an_exchange(outcome=outcome, ending=ending)) is whole


@pytest.mark.parametrize(
    ("text", "speed"),
    [("original", 1.0), ("instant", math.inf), ("2.5", 2.5), ("1e-3", 0.001), ("10", 10.0)],
)
def test_a_speed_is_read(text: str, speed: float) -> None:
    assert parse_speed(text) == speed


@pytest.mark.parametrize("text", ["", "0", "-1", "nan", "inf", "-inf", "fast", "Original", "2x"])
def test_what_is_no_speed_is_refused_with_what_is(text: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_speed(text)

    assert raised.value.exit_code == 2
    assert str(raised.value) == (
        f"--speed {text!r} is not a speed. Use original, instant, or a factor such as 2.5."
    )


def test_a_pace_is_read_from_its_options() -> None:
    assert parse_pace(speed="original") == Pace()
    assert parse_pace(speed="2", max_gap="1.5", jitter="0") == Pace(
        speed=2.0, max_gap_s=1.5, jitter_s=0.0
    )


@pytest.mark.parametrize("text", ["-1", "nan", "inf", "1s"])
def test_what_is_no_number_of_seconds_is_refused(text: str) -> None:
    for option in ("max_gap", "jitter"):
        with pytest.raises(UsageError) as raised:
            parse_pace(speed="original", **{option: text})
        flag = "--" + option.replace("_", "-")
        assert str(raised.value) == f"{flag} {text!r} is not a number of seconds, such as 0.5."
