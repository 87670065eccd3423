"""The ports of a replay: where clients come in, and how each is led to the player."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from replayproxy.capture_modes import Address, Entrance
from replayproxy.home import authority, ca_folder
from replayproxy.serving.origin import Exits, Origin
from replayproxy.serving.player import ByBaseUrl, Player

if TYPE_CHECKING:
    from replayproxy.proxy import Proxy

NEED_MITMPROXY = frozenset({"wireguard", "local"})
"""Capture modes that need more than a port and the bytes that come there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Ports that are open.

    Attributes:
        addresses: where each entrance listens; None: nowhere.
        wireguard: the settings of its client.
    """

    addresses: Sequence[Address | None]
    opens_tls: bool
    wireguard: str | None


@asynccontextmanager
async def listening(
    player: Player, ways_in: Sequence[Entrance], exits: Exits | None
) -> AsyncIterator[Ports]:
    """Open all ports for the length of a `with` block.

    Raises:
        ListenError: an address cannot be bound.
        UsageError: a capture mode cannot be had.
    """
    async with AsyncExitStack() as stack:
        yield await _opened(stack, player, ways_in, exits)


async def _opened(
    stack: AsyncExitStack, player: Player, ways_in: Sequence[Entrance], exits: Exits | None
) -> Ports:
    certificates = authority()
    addresses: dict[Entrance, Address | None] = {}
    for entrance in ways_in:
        if entrance.address and entrance.mode not in NEED_MITMPROXY:
            origin = Origin(
                ByBaseUrl(player, entrance.routes) if entrance.routes else player,
                certificates=certificates,
                exits=exits,
                transparent=entrance.mode == "transparent",
            )
            port = await origin.start(*entrance.address)
            addresses[entrance] = (entrance.address[0], port)
            stack.push_async_callback(origin.close)
    wireguard = None
    if others := [entrance for entrance in ways_in if entrance not in addresses]:
        origin = Origin(player, transparent=True)
        port = await origin.start("127.0.0.1", 0)
        stack.push_async_callback(origin.close)
        intercepting = await stack.enter_async_context(_intercepting(others, player_port=port))
        addresses |= dict(zip(others, intercepting.addresses, strict=True))
        wireguard = intercepting.wireguard_settings()
    return Ports(
        addresses=[addresses[entrance] for entrance in ways_in],
        opens_tls=certificates is not None,
        wireguard=wireguard,
    )


def _intercepting(
    ways_in: Sequence[Entrance], *, player_port: int
) -> "AbstractAsyncContextManager[Proxy]":
    """For the capture modes that are mitmproxy's alone: all of it goes to our player."""
    from replayproxy import proxy

    replayer = proxy.load_addon("replayer").Replayer(player_port)
    return proxy.running([replayer], entrances=ways_in, confdir=ca_folder())
