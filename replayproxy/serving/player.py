"""The player: answers requests from recordings, and from nothing else.

Rule: it fails closed. It has no way to reach an upstream; what it cannot
replay it says so, in the shape of the API that was asked.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Literal
from typing import Protocol as Interface

from replayproxy import health, isolation
from replayproxy.capture_modes import Route, routed
from replayproxy.errors import NotRecorded, ReplayMiss
from replayproxy.explaining import Explanation
from replayproxy.matching import Miss
from replayproxy.model import Request, header
from replayproxy.playback import ORIGINAL, Pace
from replayproxy.serving import reply
from replayproxy.serving.reply import Live, Reply
from replayproxy.session import Hit, Session

logger = logging.getLogger(__name__)

NO_CERTIFICATES = (
    "this replay cannot open TLS: that needs the 'proxy' extra (pipx install --force "
    "'replayproxy[all]'). Or point the client's base URL here."
)
NO_WEBSOCKET = (
    "WebSocket traffic is not recorded, so it cannot be replayed. Use the API's HTTP endpoints."
)
NO_UPSTREAM = (
    "nothing recorded answers this request, and it is not known where it is meant to go. "
    "Start the replay with --upstream URL, or use it as a proxy (HTTPS_PROXY)."
)


type PassedOn = Literal["recorded", "forwarded"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What became of one request.

    Attributes:
        session: the isolation token it came with.
        hit: what answered it; None: nothing did.
        late_s: a hit's: how late its latest write left; `duration_s`: how long it took.
        miss: why nothing answered, if that is why; None of an error.
        passed_on: the miss went upstream, and was recorded or not.
        message: what the client was told, if it was no hit.
    """

    request: Request
    session: str
    hit: Hit | None = None
    late_s: float | None = None
    duration_s: float | None = None
    miss: Miss | None = None
    passed_on: PassedOn | None = None
    message: str | None = None


class Forward(Interface):
    """Where misses go that the user wants answered live (see forwarding.Forwarder)."""

    @property
    def passed_on(self) -> PassedOn:
        """What becomes of them."""

    async def send(self, request: Request, *, keep_alive: bool) -> Live:
        """The live answer. Raises OSError."""


class Exits(Interface):
    """Servers that are no part of the replay (see forwarding.Outside)."""

    def lets(self, host: str, port: int) -> bool:
        """Whether this is one of them."""

    async def send(self, request: Request, *, keep_alive: bool) -> Live:
        """Its live answer. Raises OSError."""


class ByBaseUrl:
    """A player's port for clients with a base URL: the path tells which upstream they mean.

    An `origin.Handler`. A path that belongs to none of them stays as it is.
    """

    def __init__(self, player: "Player", routes: Sequence[Route]) -> None:
        self._player = player
        self._routes = routes

    async def reply(self, request: Request, *, keep_alive: bool, by_proxy: bool) -> Reply | Live:
        """The player's answer to what is meant."""
        session, path = isolation.split_path(request.path)
        ours = health.is_health(request.method, request.path)
        if not (by_proxy or ours) and (found := routed(path, self._routes)):
            to = found[0].upstream
            request = replace(
                request, scheme=to.scheme, host=to.host, port=to.port, path=session + found[1]
            )
            by_proxy = True
        return await self._player.reply(request, keep_alive=keep_alive, by_proxy=by_proxy)

    def refuse(self, reason: str) -> Reply:
        """The player's."""
        return self._player.refuse(reason)


def _leaves(request: Request, exits: Exits) -> bool:
    """In the clear only: TLS leaves by tunnels of its own (origin.Origin), or not at all."""
    return request.scheme == "http" and exits.lets(request.host, request.port)


class Player:
    """Turns requests into replies; an `origin.Handler`.

    Args:
        explain: says more about a miss; called in a thread, one call at a time.
        on_played: is told of every request, once it is over.
        forward: what becomes of a miss, where the user wants it to go upstream.
            Without it nothing here could.
        exits: where requests go that are meant for other servers than the API's; they
            are not told of.
    """

    def __init__(
        self,
        session: Session,
        *,
        pace: Pace = ORIGINAL,
        explain: Callable[[Request], Explanation] | None = None,
        on_played: Callable[[Played], None] = lambda played: None,
        forward: Forward | None = None,
        exits: Exits | None = None,
    ) -> None:
        self._exits = exits
        self._session = session
        self._pace = pace
        self._explain = explain
        self._on_played = on_played
        self._forward = forward
        self._thread = ThreadPoolExecutor(1, "explains misses")

    async def reply(self, request: Request, *, keep_alive: bool, by_proxy: bool) -> Reply | Live:
        """The recorded answer, or one that says why there is none."""
        if request.method == "CONNECT":
            return self.refuse(NO_CERTIFICATES, status=501)
        if (header(request.headers, "upgrade") or "").lower() == "websocket":
            return self.refuse(NO_WEBSOCKET, status=501)
        if health.is_health(request.method, request.path):
            return reply.of_ours(request, health.answer("replay"), keep_alive=keep_alive)
        try:
            if by_proxy and self._exits and _leaves(request, self._exits):
                return await self._let_out(self._exits, request, keep_alive=keep_alive)
            token, meant = isolation.split_token(request)
            try:
                return self._hit(meant, token, keep_alive=keep_alive)
            except ReplayMiss as miss:
                return await self._missed(
                    meant, token, miss, keep_alive=keep_alive, by_proxy=by_proxy
                )
        except Exception as error:  # fails closed: a fault of ours is an answer, too
            logger.exception("replayproxy: a request could not be replayed")
            return self._failed(request, error)

    async def _let_out(self, exits: Exits, request: Request, *, keep_alive: bool) -> Reply | Live:
        try:
            return await exits.send(request, keep_alive=keep_alive)
        except OSError as error:
            return self.refuse(f"{request.host} cannot be reached: {error}", status=502)

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

    def _failed(self, request: Request, error: Exception) -> Reply:
        message = f"this request could not be replayed: {error!r}"
        self._tell(Played(request=request, session="", message=message))
        return reply.problem(
            request,
            status=500,
            mark="error",
            message=f"replayproxy: {message}",
            code="replayproxy_error",
            keep_alive=False,
        )

    def _tell(self, played: Played) -> None:
        """Whoever is told must not keep the client from its answer."""
        try:
            self._on_played(played)
        except Exception:
            logger.exception("replayproxy: after a replay")

    def close(self) -> None:
        """Let what is being explained end."""
        self._thread.shutdown()

    def _hit(self, request: Request, token: str, *, keep_alive: bool) -> Reply:
        hit = self._session.answer(request, token=token)
        return reply.recorded(
            hit,
            request,
            pace=self._pace,
            keep_alive=keep_alive,
            on_end=lambda late_s, duration_s: self._tell(
                Played(
                    request=request, session=token, hit=hit, late_s=late_s, duration_s=duration_s
                )
            ),
        )

    async def _missed(
        self,
        request: Request,
        token: str,
        miss: ReplayMiss,
        *,
        keep_alive: bool,
        by_proxy: bool,
    ) -> Reply | Live:
        if self._forward:
            if by_proxy:
                return await self._passed_on(self._forward, request, token, keep_alive=keep_alive)
            return self._told(request, token, Miss(), NO_UPSTREAM, keep_alive=keep_alive)
        found, message = Miss(), str(miss)
        if self._explain and isinstance(miss, NotRecorded):
            try:
                loop = asyncio.get_running_loop()
                explanation = await loop.run_in_executor(self._thread, self._explain, request)
                found, message = explanation.miss, explanation.message
            except Exception:  # it is a miss all the same
                logger.exception("replayproxy: a miss could not be explained")
        return self._told(request, token, found, message, keep_alive=keep_alive)

    def _told(
        self, request: Request, token: str, miss: Miss, message: str, *, keep_alive: bool
    ) -> Reply:
        self._tell(Played(request=request, session=token, miss=miss, message=message))
        return reply.problem(
            request,
            status=404,
            mark="miss",
            message=f"replayproxy: {message}",
            code="replayproxy_miss",
            keep_alive=keep_alive,
        )

    async def _passed_on(
        self, forward: Forward, request: Request, token: str, *, keep_alive: bool
    ) -> Live:
        live = await forward.send(request, keep_alive=keep_alive)
        self._tell(Played(request=request, session=token, passed_on=forward.passed_on))
        return live
