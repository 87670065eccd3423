"""One answer on its way to the client: its bytes go on, and onto a tape, with their times.

Rule: whatever happens here, `tee` returns the bytes it was given.
"""

import asyncio
import time
from collections.abc import Callable

from replayproxy.store import Tape


class Capture:
    """Times and tapes what one request gets. Belongs to the thread of a running event loop.

    Attributes:
        tape: where it goes.
        streamed: whether bytes have passed through `tee`.
    """

    __slots__ = ("_lose", "_loop", "_now_ns", "_start_ns", "streamed", "tape")

    def __init__(self, tape: Tape, *, start_ns: int, lose: Callable[[str], None]) -> None:
        self.tape = tape
        self.streamed = False
        self._start_ns = start_ns
        self._lose = lose
        self._loop = asyncio.get_running_loop()
        self._now_ns: int | None = None

    def offset_ns(self) -> int:
        """Since the request; the same for all that one turn of the loop, so one read, brings."""
        if self._now_ns is None:
            self._now_ns = time.monotonic_ns() - self._start_ns
            self._loop.call_soon(self._next_turn)
        return self._now_ns

    def tee(self, data: bytes) -> bytes:
        """Note the bytes and hand them on. An empty piece marks the end, and is no chunk."""
        try:
            self.streamed = True
            if data:
                self.tape.chunk(self.offset_ns(), data)
        except Exception as error:  # noqa: BLE001 (it would delete these bytes from the stream)
            self._lose(repr(error))
        return data

    def _next_turn(self) -> None:
        self._now_ns = None
