"""One exchange being recorded, as the traffic's thread sees it: append, and go on."""

from collections import deque
from collections.abc import Callable
from datetime import datetime

from replayproxy.model import Chunk, Ending, Request, ResponseHead
from replayproxy.store.reel import End, Item


class Tape:
    """Takes what comes back for one request.

    Every method appends and returns; after `end()` they do nothing. Only the
    traffic's thread calls them, only the writer's thread drains `items`.

    Attributes:
        queued: the writer was told, and has not looked yet.
        given_up: the writer could not take it; what still comes is let go.
    """

    __slots__ = (
        "_fits",
        "_submit",
        "cassette",
        "ended",
        "given_up",
        "items",
        "queued",
        "request",
        "started_at",
    )

    def __init__(
        self,
        *,
        fits: Callable[[int], bool],
        submit: Callable[["Tape", int], None],
        request: Request,
        started_at: datetime,
        cassette: str,
    ) -> None:
        self._fits = fits
        self._submit = submit
        self.request = request
        self.started_at = started_at
        self.cassette = cassette
        self.items: deque[Item] = deque()
        self.queued = False
        self.given_up = False
        self.ended = not fits(len(request.body))
        if not self.ended:
            submit(self, len(request.body))

    def head(self, head: ResponseHead) -> None:
        """Status and headers have arrived."""
        self._put(head, 0)

    def chunk(self, offset_ns: int, data: bytes) -> None:
        """Bytes of the body have arrived."""
        self._put(Chunk(offset_ns=offset_ns, data=data), len(data))

    def end(self, ending: Ending, offset_ns: int, *, detail: str | None = None) -> None:
        """The transport has ended; `detail` says why if that was not the normal end."""
        self._put(End(ending=ending, offset_ns=offset_ns, detail=detail), 0)
        self.ended = True

    def drained(self) -> tuple[list[Item], int]:
        """What came since the last time, and how many bytes of body are in it."""
        items = [self.items.popleft() for _ in range(len(self.items))]
        size = 0
        for item in items:
            if type(item) is Chunk:
                size += len(item.data)
        return items, size

    def _put(self, item: Item, size: int) -> None:
        if self.ended:
            return
        self.items.append(item)
        if not self._fits(size):
            offset_ns = 0 if isinstance(item, End) else item.offset_ns
            self.items.append(
                End(
                    ending=Ending.INTERRUPTED,
                    offset_ns=offset_ns,
                    detail="given up: the database could not be written fast enough",
                )
            )
            self.ended = True
        self._submit(self, size)
