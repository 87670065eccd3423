"""The player: answers requests from recordings, and from nothing else.

Rule: it fails closed. It has no way to reach an upstream; what it cannot
replay it says so, in the shape of the API that was asked.
"""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from replayproxy import isolation, reply
from replayproxy.errors import NotRecorded, ReplayMiss
from replayproxy.explaining import Explanation
from replayproxy.matching import Miss
from replayproxy.model import Request
from replayproxy.reply import Reply
from replayproxy.session import Hit, Session

logger = logging.getLogger(__name__)

NO_INTERCEPTOR = (
    "this replay does not intercept TLS. Start it without --upstream and with the 'proxy' extra "
    "installed (pipx install --force 'replayproxy[all]'), or point the client's base URL here."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What became of one request.

    Attributes:
        session: the isolation token it came with.
        hit: what answered it; None: nothing did.
        late_s: a hit's: how late its latest write left.
        miss: why nothing answered, if that is why; None of an error.
        message: what the client was told, if it was no hit.
    """

    request: Request
    session: str
    hit: Hit | None = None
    late_s: float | None = None
    miss: Miss | None = None
    message: str | None = None


class Player:
    """Turns requests into replies; an `origin.Handler`.

    Args:
        explain: says more about a miss; called in a thread, one call at a time.
        on_played: is told of every request, once it is over.

    Attributes:
        interceptor_port: the loopback port that takes clients who say `CONNECT`.
    """

    def __init__(
        self,
        session: Session,
        *,
        speed: float = 1.0,
        explain: Callable[[Request], Explanation] | None = None,
        on_played: Callable[[Played], None] = lambda played: None,
    ) -> None:
        self.interceptor_port: int | None = None
        self._session = session
        self._speed = speed
        self._explain = explain
        self._on_played = on_played
        self._thread = ThreadPoolExecutor(1, "explains misses")

    async def reply(self, request: Request, *, keep_alive: bool) -> Reply:
        """The recorded answer, or one that says why there is none."""
        if request.method == "CONNECT":
            return self.refuse(NO_INTERCEPTOR, status=501)
        token, request = isolation.split_token(request)
        try:
            return self._hit(request, token, keep_alive=keep_alive)
        except ReplayMiss as miss:
            return await self._miss(request, token, miss, keep_alive=keep_alive)
        except Exception as error:  # fails closed: a fault of ours is an answer, too
            logger.exception("replayproxy: a request could not be replayed")
            message = f"this request could not be replayed: {error!r}"
            self._on_played(Played(request=request, session=token, message=message))
            return reply.problem(
                request,
                status=500,
                mark="error",
                message=f"replayproxy: {message}",
                code="replayproxy_error",
                keep_alive=False,
            )

    def refuse(self, reason: str, *, status: int = 400) -> Reply:
        """The answer to what is not a request we can take."""
        return reply.problem(
            Request(method="", scheme="http", host="", port=0, path=""),
            status=status,
            mark="error",
            message=f"replayproxy: {reason}",
            code="replayproxy_refused",
            keep_alive=False,
        )

    def close(self) -> None:
        """Let what is being explained end."""
        self._thread.shutdown()

    def _hit(self, request: Request, token: str, *, keep_alive: bool) -> Reply:
        hit = self._session.answer(request, token=token)
        return reply.recorded(
            hit,
            request,
            speed=self._speed,
            keep_alive=keep_alive,
            on_end=lambda late_s: self._on_played(
                Played(request=request, session=token, hit=hit, late_s=late_s)
            ),
        )

    async def _miss(
        self, request: Request, token: str, miss: ReplayMiss, *, keep_alive: bool
    ) -> Reply:
        found, message = Miss(), str(miss)
        if self._explain and isinstance(miss, NotRecorded):
            try:
                loop = asyncio.get_running_loop()
                explanation = await loop.run_in_executor(self._thread, self._explain, request)
                found, message = explanation.miss, explanation.message
            except Exception:  # it is a miss all the same
                logger.exception("replayproxy: a miss could not be explained")
        self._on_played(Played(request=request, session=token, miss=found, message=message))
        return reply.problem(
            request,
            status=404,
            mark="miss",
            message=f"replayproxy: {message}",
            code="replayproxy_miss",
            keep_alive=keep_alive,
        )
