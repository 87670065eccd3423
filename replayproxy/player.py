"""The player: answers requests from recordings, and from nothing else.

Rule: it fails closed. It has no way to reach an upstream; what it cannot
replay it says so, in the shape of the API that was asked.
"""

import logging
from collections.abc import Callable

from replayproxy import reply
from replayproxy.errors import ReplayMiss
from replayproxy.model import Request
from replayproxy.reply import Reply
from replayproxy.session import Session

logger = logging.getLogger(__name__)

NO_INTERCEPTOR = (
    "this replay does not intercept TLS. Start it without --upstream and with the 'proxy' extra "
    "installed (pipx install --force 'replayproxy[all]'), or point the client's base URL here."
)


class Player:
    """Turns requests into replies; an `origin.Handler`.

    Attributes:
        interceptor_port: the loopback port that takes clients who say `CONNECT`.
    """

    def __init__(
        self,
        session: Session,
        *,
        speed: float = 1.0,
        on_miss: Callable[[str], None] = lambda message: None,
    ) -> None:
        self.interceptor_port: int | None = None
        self._session = session
        self._speed = speed
        self._on_miss = on_miss

    def reply(self, request: Request, *, keep_alive: bool) -> Reply:
        """The recorded answer, or one that says why there is none."""
        if request.method == "CONNECT":
            return self.refuse(NO_INTERCEPTOR, status=501)
        try:
            hit = self._session.answer(request)
            return reply.recorded(hit, request, speed=self._speed, keep_alive=keep_alive)
        except ReplayMiss as miss:
            self._on_miss(str(miss))
            return reply.problem(
                request,
                status=404,
                mark="miss",
                message=f"replayproxy: {miss}",
                code="replayproxy_miss",
                keep_alive=keep_alive,
            )
        except Exception as error:  # fails closed: a fault of ours is an answer, too
            logger.exception("replayproxy: a request could not be replayed")
            return reply.problem(
                request,
                status=500,
                mark="error",
                message=f"replayproxy: this request could not be replayed: {error!r}",
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
