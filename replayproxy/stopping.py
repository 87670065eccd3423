"""Ctrl-C and SIGTERM: the first asks for an orderly end, the second for one at once."""

import asyncio
import signal
from collections.abc import Callable
from types import FrameType

_NUMBERS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


class StopSignals:
    """`asked` is set by the first signal, `urged` by a second. Make it in a running event loop.

    Attributes:
        number: of the first signal; None: there was none.
        listeners: are told the number of each signal.
    """

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.urged = asyncio.Event()
        self.number: int | None = None
        self.listeners: list[Callable[[int], None]] = []
        loop = asyncio.get_running_loop()
        for number in _NUMBERS:
            if signal.getsignal(number) is signal.SIG_IGN:
                continue  # nohup, or a shell that runs us behind its back
            try:
                loop.add_signal_handler(number, self._received, number)
            except NotImplementedError:  # Windows
                signal.signal(number, self._from_handler(loop))

    async def drained(self, done: asyncio.Event, *, grace_s: float) -> None:
        """Wait until `done` is set, for `grace_s` at most, or until a second signal."""
        waits = [asyncio.ensure_future(event.wait()) for event in (done, self.urged)]
        await asyncio.wait(waits, timeout=grace_s, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()

    def _received(self, number: int) -> None:
        self.number = self.number or number
        for listener in self.listeners:
            listener(number)
        (self.urged if self.asked.is_set() else self.asked).set()

    def _from_handler(self, loop: asyncio.AbstractEventLoop):  # type: ignore[no-untyped-def]
        def handler(number: int, frame: FrameType | None) -> None:
            loop.call_soon_threadsafe(self._received, number)

        return handler
