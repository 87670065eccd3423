"""How tapes with news reach the writer's thread: with as few wake-ups as can be.

Rule: whoever puts something here goes on at once. While the writer gathers or
stores, it is not woken at all; once it has nothing to do, one wake-up begins the
next gathering. A wake-up a chunk would cost more than the chunk: both threads
share one interpreter lock.
"""

import threading
import time
from collections import deque

from replayproxy.store.tape import Tape


class Inbox:
    """Many put, one takes."""

    def __init__(self) -> None:
        self._tapes: deque[Tape] = deque()
        self._news = threading.Event()
        self._news_since_s = 0.0
        self._closed = threading.Event()

    @property
    def closed(self) -> bool:
        """Nothing more will be waited for."""
        return self._closed.is_set()

    def put(self, tape: Tape) -> None:
        """There is something new on this tape."""
        self._tapes.append(tape)
        if not self._news.is_set():
            self._news_since_s = time.monotonic()
            self._news.set()

    def close(self) -> None:
        """End all waiting, now and later."""
        self._closed.set()
        self._news.set()

    def wait(self, patience_s: float | None) -> bool:
        """Until there is news, if need be for so long; whether there is, or it was closed."""
        return self._closed.is_set() or self._news.wait(patience_s)

    def gather(self, for_s: float) -> list[Tape]:
        """All that came, in its order, once the first of it is so old; at once if closed."""
        self._closed.wait(max(0.0, self._news_since_s + for_s - time.monotonic()))
        self._news.clear()  # before the last look: what comes after it is news again
        return [self._tapes.popleft() for _ in range(len(self._tapes))]
