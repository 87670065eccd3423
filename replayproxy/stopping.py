"""Ctrl-C and SIGTERM: the first asks for an orderly end, the second for one at once."""

import asyncio
import signal
from types import FrameType


class StopSignals:
    """`asked` is set by the first signal, `urged` by a second. Make it in a running event loop."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.urged = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                loop.add_signal_handler(number, self._received)
            except NotImplementedError:  # Windows
                signal.signal(number, self._from_handler(loop))

    async def drained(self, done: asyncio.Event, *, grace_s: float) -> None:
        """Wait until `done` is set, for `grace_s` at most, or until a second signal."""
        waits = [asyncio.ensure_future(event.wait()) for event in (done, self.urged)]
        await asyncio.wait(waits, timeout=grace_s, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()

    def _received(self) -> None:
        (self.urged if self.asked.is_set() else self.asked).set()

    def _from_handler(self, loop: asyncio.AbstractEventLoop):  # type: ignore[no-untyped-def]
        def handler(number: int, frame: FrameType | None) -> None:
            loop.call_soon_threadsafe(self._received)

        return handler
