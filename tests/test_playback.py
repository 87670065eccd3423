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
from replayproxy.playback import Playlist, Repeat, Write, at, ends_whole, parse_speed, schedule
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

    assert list(schedule(arrived, speed=1)) == [
        Write(at_s=1e-08, parts=(b"a", b"", b"b")),
        Write(at_s=1.1e-08, parts=(b"c",)),
        Write(at_s=2.0, parts=(b"d",)),
    ]
    assert list(schedule((), speed=1)) == []


def test_without_waiting_the_writes_are_the_same() -> None:
    arrived = chunks((10, b"a"), (10, b"b"), (3_000_000_000, b"c"))

    assert list(schedule(arrived, speed=math.inf)) == [
        Write(at_s=0.0, parts=(b"a", b"b")),
        Write(at_s=0.0, parts=(b"c",)),
    ]


@pytest.mark.parametrize(("speed", "seconds"), [(1, 3.0), (2, 1.5), (0.5, 6.0), (math.inf, 0.0)])
def test_a_speed_is_a_factor(speed: float, seconds: float) -> None:
    assert at(3_000_000_000, speed=speed) == seconds
    assert at(None, speed=speed) == 0


@given(
    st.lists(st.tuples(st.integers(0, 10**12), st.binary(max_size=5))).map(sorted),
    st.floats(1e-3, 1e3) | st.just(math.inf),
)
def test_no_byte_and_no_boundary_is_lost(arrived: list[tuple[int, bytes]], speed: float) -> None:
    writes = list(schedule(chunks(*arrived), speed=speed))

    together = [list(group) for _, group in groupby(arrived, key=lambda pair: pair[0])]
    assert [write.parts for write in writes] == [
        tuple(data for _, data in group) for group in together
    ]
    assert [write.at_s for write in writes] == [group[0][0] / 1e9 / speed for group in together]


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
