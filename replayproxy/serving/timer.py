"""Waking up on time: event loops round their timers to the millisecond, the kernel does not.

On Linux one timerfd serves all who wait; elsewhere the loop's own timers do.
Times are those of `time.monotonic()`, in seconds.
"""

import asyncio
import ctypes
import heapq
import itertools
import os
import sys
import time
from contextlib import suppress
from typing import Protocol as Interface

_TOGETHER_S = 50e-6
"""Deadlines so close to each other are met by one wake-up."""


class Timer:
    """Belongs to the running event loop. `close()` gives the descriptor back."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._alarm = _alarm()
        self._waiting: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()
        if self._alarm:
            self._loop.add_reader(self._alarm.fd, self._ring, self._alarm)

    def close(self) -> None:
        """Who still waits is cancelled; later waits use the loop's own timers."""
        if self._alarm:
            self._loop.remove_reader(self._alarm.fd)
            os.close(self._alarm.fd)
            self._alarm = None
        for _, _, future in self._waiting:
            future.cancel()
        self._waiting.clear()

    async def until(self, deadline_s: float) -> None:
        """Sleep until then, never less; for a moment that has passed, one turn of the loop."""
        while (remaining_s := deadline_s - time.monotonic()) > 0:
            if self._alarm:
                await self._wait(self._alarm, deadline_s)
                return
            await asyncio.sleep(remaining_s)
        await asyncio.sleep(0)

    def _wait(self, alarm: "_Alarm", deadline_s: float) -> asyncio.Future[None]:
        future = self._loop.create_future()
        heapq.heappush(self._waiting, (deadline_s, next(self._numbers), future))
        if self._waiting[0][2] is future:
            alarm.set(deadline_s)
        return future

    def _ring(self, alarm: "_Alarm") -> None:
        with suppress(BlockingIOError):  # it was set anew meanwhile
            os.read(alarm.fd, 8)
        now_s = due_s = time.monotonic()
        waiting = self._waiting
        while waiting and (waiting[0][0] <= now_s + _TOGETHER_S or waiting[0][2].done()):
            deadline_s, _, future = heapq.heappop(waiting)
            if not future.done():
                due_s = max(due_s, deadline_s)
                future.set_result(None)
        while time.monotonic() < due_s:
            pass  # too short for anything else, and nobody may leave early
        if waiting:
            alarm.set(waiting[0][0])


class _Alarm(Interface):
    """A descriptor that becomes readable at a moment."""

    fd: int

    def set(self, deadline_s: float) -> None:
        """Ring then; forget what was set before."""


if sys.platform == "linux" and sys.version_info >= (3, 13):

    class _Timerfd:
        def __init__(self) -> None:
            flags = os.TFD_NONBLOCK | os.TFD_CLOEXEC
            self.fd = os.timerfd_create(time.CLOCK_MONOTONIC, flags=flags)

        def set(self, deadline_s: float) -> None:
            at_ns = max(1, int(deadline_s * 1e9))  # 0 would switch it off
            os.timerfd_settime_ns(self.fd, flags=os.TFD_TIMER_ABSTIME, initial=at_ns)

elif sys.platform == "linux":
    _ABSOLUTE = 1  # TFD_TIMER_ABSTIME

    class _Timespec(ctypes.Structure):
        _fields_ = (("s", ctypes.c_long), ("ns", ctypes.c_long))

    class _Timerfd:
        """The same through libc: Python 3.12 knows no timerfd."""

        def __init__(self) -> None:
            self._libc = ctypes.CDLL(None, use_errno=True)
            flags = os.O_NONBLOCK | os.O_CLOEXEC
            self.fd = self._libc.timerfd_create(time.CLOCK_MONOTONIC, flags)
            if self.fd < 0:
                raise OSError(ctypes.get_errno(), "timerfd_create")
            self._spec = (_Timespec * 2)()  # the interval, and the moment

        def set(self, deadline_s: float) -> None:
            at_ns = max(1, int(deadline_s * 1e9))  # 0 would switch it off
            self._spec[1].s, self._spec[1].ns = divmod(at_ns, 1_000_000_000)
            self._libc.timerfd_settime(self.fd, _ABSOLUTE, self._spec, None)


def _alarm() -> _Alarm | None:
    """The platform's; None if it has none, or none is left."""
    if sys.platform == "linux":
        with suppress(OSError):
            return _Timerfd()
    return None
