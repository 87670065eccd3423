"""Players on a thread of their own: a test's clients may be sync, async, threads, processes."""

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine
from functools import cache, partial
from typing import Any

from replayproxy.cassettes import Deck
from replayproxy.explaining import explained
from replayproxy.home import authority
from replayproxy.model import Request
from replayproxy.playback import Repeat, parse_pace
from replayproxy.serving.origin import Origin
from replayproxy.serving.player import Played, Player
from replayproxy.serving.reply import Live, Reply
from replayproxy.session import Session
from replayproxy.testing.settings import NamedUpstream, Settings

_SETTLED_S = 2.0


class _Loop:
    """An event loop on a daemon thread, for the life of the process."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="replayproxy-player", daemon=True
        )
        self._thread.start()

    def run[T](self, work: Coroutine[Any, Any, T]) -> T:
        """Do something there, and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


@cache
def _loop() -> _Loop:
    return _Loop()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_loop.cache_clear)  # its thread stays behind


class _Counting:
    """A handler that counts what it hands on to the player."""

    def __init__(
        self,
        player: Player,
        *,
        on_asked: Callable[[Request], None],
        on_left: Callable[[Request], None],
    ) -> None:
        self._player = player
        self._on_asked = on_asked
        self._on_left = on_left

    async def reply(self, request: Request, *, keep_alive: bool, by_proxy: bool) -> Reply | Live:
        """The player's."""
        if request.method != "CONNECT":
            self._on_asked(request)
        try:
            return await self._player.reply(request, keep_alive=keep_alive, by_proxy=by_proxy)
        except asyncio.CancelledError:  # the client has hung up before there was an answer
            self._on_left(request)
            raise

    def refuse(self, reason: str) -> Reply:
        """The player's."""
        return self._player.refuse(reason)


class ServedCassette:
    """A cassette that answers on a loopback port of its own, for one upstream.

    Attributes:
        port: where.
    """

    def __init__(self, deck: Deck, upstream: NamedUpstream, settings: Settings) -> None:
        self._asked: list[Request] = []
        self._played: list[Played] = []
        self._changed = threading.Condition()
        session = Session(
            deck,
            cassette=settings.name,
            repeat=Repeat.ERROR,
            rules=settings.rules,
            upstream_host=upstream.address.host,
        )
        self._player = Player(
            session,
            pace=parse_pace(speed=settings.speed),
            explain=partial(
                explained,
                recordings=deck,
                cassette=settings.name,
                rules=settings.rules,
                record_command=settings.record_command,
            ),
            on_played=self._on_played,
        )
        self._origin = Origin(
            _Counting(self._player, on_asked=self._on_asked, on_left=self._on_left)
        )
        self.port = _loop().run(self._origin.start("127.0.0.1", 0))

    def take_tunnels(self) -> None:
        """Answer for https hosts, too; where it can be had: it takes the `proxy` extra."""
        self._origin.certificates = self._origin.certificates or authority()

    def played(self) -> list[Played]:
        """What was asked so far and is over, in the order in which it was asked.

        A client can have an answer's last byte a moment before we know that it is over:
        that moment is waited for.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: len(self._played) >= len(self._asked), timeout=_SETTLED_S
            )
            order = {id(request): number for number, request in enumerate(self._asked)}
            return sorted(self._played, key=lambda p: order.get(id(p.request), len(order)))

    def close(self) -> None:
        """Hang up and stop listening."""
        _loop().run(self._origin.close())
        self._player.close()

    def _on_asked(self, request: Request) -> None:
        with self._changed:
            self._asked.append(request)

    def _on_left(self, request: Request) -> None:
        with self._changed:
            self._asked.remove(request)
            self._changed.notify_all()

    def _on_played(self, played: Played) -> None:
        with self._changed:
            self._played.append(played)
            self._changed.notify_all()
