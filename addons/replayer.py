"""Answers LLM traffic from recordings: `mitmdump -s replayer.py --set replayproxy_db=F`.

Rule: replaying fails closed. Every request is sent to our own player on the
loopback, and a connection to anything else is refused, so that no single
fault, not even one in this file, lets a request through to the real API.
"""

import contextlib
import ipaddress
import logging
import time
from pathlib import Path

from mitmproxy import addonmanager, ctx, dns, exceptions, http
from mitmproxy.net.dns import types
from mitmproxy.proxy import server_hooks

from replayproxy import config, replaying
from replayproxy.errors import ReplayproxyError
from replayproxy.playback import Repeat, parse_pace
from replayproxy.serving.origin import READ_AT_HEADER, Origin
from replayproxy.serving.player import Player
from replayproxy.settings_file import match_rules

logger = logging.getLogger(__name__)

OPTIONS = tuple(option for option in config.OPTIONS if option.replaying)


ANY_ADDRESS = "198.18.0.1"
"""Of no network (RFC 2544): what names lead to, so that clients come here at all."""


class Replayer:
    """A mitmproxy addon that knows no other server than a player.

    Given the player's port it uses that one, else it runs one by its options.
    """

    def __init__(self, player_port: int | None = None) -> None:
        self._opens_player = player_port is None
        self._player_port = player_port
        self._origin: Origin | None = None
        self._player: Player | None = None
        self._resources = contextlib.ExitStack()

    def load(self, loader: addonmanager.Loader) -> None:
        if self._opens_player:
            for option in OPTIONS:
                loader.add_option(*option.as_mitmproxy)

    def configure(self, updated: set[str]) -> None:
        if ctx.options.connection_strategy != "lazy":  # eager asks upstream before any hook runs
            ctx.options.update(connection_strategy="lazy")
        if not self._opens_player or not any(option.setting in updated for option in OPTIONS):
            return
        if self._origin:
            raise exceptions.OptionsError("replayproxy options cannot change during a replay")
        try:
            self._player = self._open()
        except ReplayproxyError as error:
            # mitmdump ends on an error at its start; others go on, and every request is refused
            logger.error("replayproxy: %s", error)

    def _open(self) -> Player:
        chosen = {option.name: getattr(ctx.options, option.setting) for option in OPTIONS}
        db = Path(chosen["db"]).expanduser()
        rules = match_rules(
            db, ignore=chosen["ignore"], normalize=chosen["normalize"], on=chosen["match_on"]
        )
        self._resources.close()
        player, _ = self._resources.enter_context(
            replaying.opened(
                db,
                cassette=chosen["cassette"],
                repeat=Repeat(chosen["repeat"]),
                pace=parse_pace(
                    speed=chosen["speed"], max_gap=chosen["max_gap"], jitter=chosen["jitter"]
                ),
                rules=rules,
                keep_log=not chosen["no_replay_log"],
                cache_write=chosen["otel_cache_write"],
            )
        )
        return player

    async def running(self) -> None:
        if self._player:
            self._origin = Origin(self._player)
            self._player_port = await self._origin.start("127.0.0.1", 0)

    def request(self, flow: http.HTTPFlow) -> None:
        try:
            self._redirect(flow)
        except Exception as error:  # noqa: BLE001 (the request would go out)
            flow.response = http.Response.make(
                500, f"replayproxy: {error!r}", {"x-replayproxy": "error"}
            )

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        if flow.response:
            flow.response.stream = True

    def dns_request(self, flow: dns.DNSFlow) -> None:
        """Clients in a WireGuard tunnel ask us for names: none has to be looked up."""
        question = flow.request.question
        found = []
        if question and question.type == types.A:
            found = [dns.ResourceRecord.A(question.name, ipaddress.IPv4Address(ANY_ADDRESS))]
        flow.response = flow.request.succeed(found)

    def server_connect(self, data: server_hooks.ServerConnectionHookData) -> None:
        if data.server.address != ("127.0.0.1", self._player_port) or data.server.via:
            data.server.error = "replayproxy: a replay connects to nothing but recordings"

    async def done(self) -> None:
        if self._origin:
            with contextlib.suppress(OSError):
                await self._origin.close()
        self._resources.close()

    def _redirect(self, flow: http.HTTPFlow) -> None:
        assert self._player_port is not None
        authority = flow.request.pretty_host
        if flow.request.port not in {80, 443}:
            authority = f"{authority}:{flow.request.port}"
        flow.request.scheme = "http"
        flow.request.host = "127.0.0.1"
        flow.request.port = self._player_port
        flow.request.headers["Host"] = authority
        flow.request.headers[READ_AT_HEADER] = str(time.monotonic_ns())


addons = [Replayer()]
