"""Waking up on time. How well is for the benchmarks; here: never early, and in order."""

import asyncio
import time
from pathlib import Path

import pytest

from replayproxy.serving import timer
from replayproxy.serving.timer import Timer

pytestmark = pytest.mark.parametrize("platform_has_one", [True, False])


@pytest.fixture(autouse=True)
def platform(platform_has_one: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the platform's own timer, and as where there is none."""
    if not platform_has_one:
        monkeypatch.setattr(timer, "_alarm", lambda: None)


def test_nobody_leaves_early_and_all_leave_in_the_order_of_their_deadlines() -> None:
    left: list[tuple[float, float]] = []

    async def scenario() -> None:
        clock = Timer()
        start_s = time.monotonic()

        async def wait(deadline_s: float) -> None:
            await clock.until(deadline_s)
            left.append((deadline_s, time.monotonic()))

        # the last one first, and several so close that one wake-up serves them
        after_s = [0.03, 0.01, 0.0200, 0.02001, 0.02002, 0.005]
        await asyncio.gather(*(wait(start_s + seconds) for seconds in after_s))
        clock.close()

    asyncio.run(scenario())
    assert len(left) == 6
    assert all(left_s >= deadline_s for deadline_s, left_s in left)
    assert [deadline_s for deadline_s, _ in left] == sorted(deadline_s for deadline_s, _ in left)


def test_a_moment_that_has_passed_costs_one_turn_of_the_loop() -> None:
    turns: list[str] = []

    async def scenario() -> None:
        clock = Timer()
        asyncio.get_running_loop().call_soon(turns.append, "others")
        await clock.until(time.monotonic() - 1)
        turns.append("late")
        clock.close()

    asyncio.run(scenario())
    assert turns == ["others", "late"]


def test_who_gives_up_does_not_keep_others_from_their_moment() -> None:
    async def scenario() -> None:
        clock = Timer()
        now_s = time.monotonic()
        waits = [asyncio.create_task(clock.until(now_s + after_s)) for after_s in (0.01, 60, 0.02)]
        await asyncio.sleep(0)
        waits[0].cancel()
        await waits[2]
        assert not waits[1].done()
        waits[1].cancel()
        await asyncio.wait(waits)
        clock.close()

    asyncio.run(asyncio.wait_for(scenario(), 20))


def descriptors() -> int:
    return len(list(Path("/dev/fd").iterdir()))


def test_who_still_waits_when_it_closes_is_cancelled_and_no_descriptor_is_left() -> None:
    async def scenario() -> int:
        before = descriptors()
        clock = Timer()
        waiting = asyncio.create_task(clock.until(time.monotonic() + 0.05))
        await asyncio.sleep(0)
        clock.close()
        await asyncio.wait([waiting])
        return descriptors() - before

    assert asyncio.run(asyncio.wait_for(scenario(), 20)) == 0
