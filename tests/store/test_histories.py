"""Which body another goes on from."""

import random

import pytest

from replayproxy.store.histories import MIN_BYTES, Histories, Stored


def text(seed: int, size: int = MIN_BYTES) -> bytes:
    return random.Random(seed).randbytes(size)


def stored(number: int, data: bytes) -> Stored:
    return Stored(id=number, sha256=b"", data=data, hops=0)


def remembering(*bodies: bytes) -> Histories:
    histories = Histories()
    for number, data in enumerate(bodies, 1):
        histories.remember(stored(number, data))
    return histories


def before(histories: Histories, data: bytes) -> int | None:
    found = histories.before(data)
    return found.id if found else None


def test_what_begins_the_same_is_gone_on_from() -> None:
    histories = remembering(text(1), text(2), text(3))

    assert before(histories, text(2) + b"more") == 2
    assert before(histories, text(2)[:-9] + b"otherwise") == 2
    assert before(histories, text(4)) is None


def test_the_one_that_has_most_in_common_counts() -> None:
    start = text(1)
    histories = remembering(start + text(2, 500), start + text(3, 500))

    assert before(histories, start + text(3, 400) + b"and on") == 2


@pytest.mark.parametrize(("shared", "found"), [(2_500, None), (3_500, 1)])
def test_half_of_it_must_be_there_again(shared: int, found: int | None) -> None:
    body = text(1, 6_000)

    assert before(remembering(body), body[:shared] + text(2)) == found


def test_short_ones_and_huge_ones_are_not_remembered() -> None:
    short, huge = b"x" * (MIN_BYTES - 1), b"y" * 4_000_001

    histories = remembering(short, huge)

    assert before(histories, short + b"more") is None
    assert before(histories, huge + b"more") is None


def test_a_conversation_takes_one_place_however_long_it_is() -> None:
    start, other = text(1), text(2)
    grown = [start + b"!" * number for number in range(50)]

    histories = remembering(other, *grown)

    assert before(histories, other) == 1
    assert before(histories, grown[-1] + b"?") == 51


def test_what_was_not_gone_on_from_for_long_is_forgotten() -> None:
    histories = remembering(*(text(number) for number in range(17)))

    assert before(histories, text(0)) is None
    assert before(histories, text(1)) == 2
