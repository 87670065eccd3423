"""One answer on its way to the client: its bytes go on, and onto a tape, with their times.

Rule: whatever happens here, `tee` returns the bytes it was given.
"""

import asyncio
import time
from collections.abc import Callable, Iterable

from replayproxy.store import Tape


class Capture:
    """Times and tapes what one request gets. Belongs to the thread of a running event loop.

    Chunks that one read brought have one time. What tells the reads apart is `read`,
    which gives another value during each; a callback of the loop would do as well,
    at a tenth of what a chunk costs altogether.

    Attributes:
        tape: where it goes.
        streamed: whether bytes have passed through `tee`.
        stream: what mitmproxy was given to pass them through.
    """

    __slots__ = (
        "_chunk_ns",
        "_lose",
        "_loop",
        "_now_ns",
        "_of_read",
        "_read",
        "_start_ns",
        "stream",
        "streamed",
        "tape",
    )

    def __init__(
        self,
        tape: Tape,
        *,
        start_ns: int,
        lose: Callable[[str], None],
        read: Callable[[], object],
    ) -> None:
        self.tape = tape
        self.streamed = False
        self.stream: object = None
        self._start_ns = start_ns
        self._lose = lose
        self._read = read
        self._of_read: object = None
        self._chunk_ns = 0
        self._loop = asyncio.get_running_loop()
        self._now_ns: int | None = None

    def offset_ns(self) -> int:
        """Since the request; the same for all that one turn of the loop brings."""
        if self._now_ns is None:
            self._now_ns = time.monotonic_ns() - self._start_ns
            self._loop.call_soon(self._next_turn)
        return self._now_ns

    def tee(self, data: bytes) -> bytes:
        """Note the bytes and hand them on. An empty piece marks the end, and is no chunk."""
        try:
            self.streamed = True
            if data:
                self.tape.chunk(self._offset_of_read(), data)
        except Exception as error:  # noqa: BLE001 (it would delete these bytes from the stream)
            self._lose(repr(error))
        return data

    def after(
        self, other: Callable[[bytes], bytes | Iterable[bytes]]
    ) -> Callable[[bytes], list[bytes]]:
        """A tee behind another addon's: what that one makes of the bytes is what the client gets.

        Its faults stay its own.
        """

        def noted(data: bytes) -> list[bytes]:
            made = other(data)
            self.streamed = True
            return [self.tee(piece) for piece in ([made] if isinstance(made, bytes) else made)]

        return noted

    def _offset_of_read(self) -> int:
        read = self._read()
        if read is None or read != self._of_read:
            self._of_read = read
            # the head may have come by the same read
            now_ns = self._now_ns
            self._chunk_ns = time.monotonic_ns() - self._start_ns if now_ns is None else now_ns
        return self._chunk_ns

    def _next_turn(self) -> None:
        self._now_ns = None
