"""Which upstream a request goes to, and where none may go: mitmproxy addons.

Rules: a base-URL port reaches the upstreams that were named for it, and nothing else;
what has none is told so and goes nowhere. Nobody reaches our own ports through us, or
(but for programs of this machine, which could do so themselves) link-local addresses,
where clouds keep their credentials.
"""

import asyncio
import base64
import ipaddress
import json
import logging
import socket
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress

from mitmproxy import connection, http
from mitmproxy.net import server_spec
from mitmproxy.proxy import mode_specs, server_hooks

from replayproxy.capture_modes import Address, Entrance, Route, routed
from replayproxy.traffic import SWITCH_HEADER

logger = logging.getLogger(__name__)

type _IP = ipaddress.IPv4Address | ipaddress.IPv6Address


class Router:
    """Sends the requests of base-URL ports to the upstream of their path.

    Args:
        via: a proxy that all of them go through.
    """

    def __init__(
        self, entrances: Sequence[Entrance], *, via: server_spec.ServerSpec | None = None
    ) -> None:
        self._routes = {entrance.spec: entrance.routes for entrance in entrances}
        self._via = via

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        """The request's path and host are known: set those of the upstream."""
        routes = self._routes.get(flow.client_conn.proxy_mode.full_spec)
        if not routes:
            return
        try:
            found = routed(flow.request.path, routes)
            if found is None:
                _refuse(flow, 404, _no_route(routes))
            else:
                self._send(flow, *found)
        except Exception as error:  # noqa: BLE001 (it would go to another upstream, with its key)
            _refuse(flow, 502, f"this request could not be sent to an upstream: {error!r}")

    def _send(self, flow: http.HTTPFlow, route: Route, path: str) -> None:
        to = route.upstream
        flow.request.path = path
        if (flow.request.scheme, flow.request.host, flow.request.port) != (
            to.scheme,
            to.host,
            to.port,
        ):
            flow.request.scheme, flow.request.host, flow.request.port = to.scheme, to.host, to.port
        if self._via and flow.server_conn.via != self._via:
            # the connection that is there already may be open: it cannot be changed
            flow.server_conn = connection.Server(address=(to.host, to.port))
            flow.server_conn.via = self._via


def _no_route(routes: Sequence[Route]) -> str:
    prefixes = ", ".join(f"{route.prefix}/ ({route.upstream.host})" for route in routes)
    return f"no upstream has this path. Base URLs begin with one of {prefixes}"


def _refuse(flow: http.HTTPFlow, status: int, reason: str) -> None:
    body = {"error": {"message": f"replayproxy: {reason}", "code": "replayproxy_refused"}}
    flow.request.headers[SWITCH_HEADER] = "off"  # it is nobody's answer: not recorded
    flow.response = http.Response.make(
        status,
        json.dumps(body),
        {"content-type": "application/json", "x-should-retry": "false"},
    )


class Fence:
    """Refuses connections to where nobody may go.

    Args:
        own: where we listen, known once we do.
        proxies: the next proxies that the user named: they may be reached from everywhere.
        exposed: other machines reach us: names are looked up, too, before they are
            connected to.
    """

    def __init__(
        self,
        entrances: Sequence[Entrance],
        *,
        own: Callable[[], Collection[Address]],
        proxies: Collection[Address] = (),
        exposed: bool,
    ) -> None:
        self._upstreams = {
            entrance.spec: {(r.upstream.host, r.upstream.port) for r in entrance.routes}
            for entrance in entrances
            if entrance.routes
        }
        self._proxies = proxies
        self._own = own
        self._exposed = exposed

    async def server_connect(self, data: server_hooks.ServerConnectionHookData) -> None:
        """Before anything is connected to."""
        if data.server.address is None:
            return
        try:
            reason = await self._reason(data.client.proxy_mode, data.server.address[:2])
        except Exception as error:
            # recording fails open; but not for the machines of others
            logger.exception("replayproxy: whether a connection is allowed cannot be told")
            reason = f"that could not be checked: {error!r}" if self._exposed else None
        if reason:
            host, port = data.server.address[:2]
            data.server.error = f"replayproxy does not connect to {host}:{port}: {reason}"

    async def _reason(self, mode: mode_specs.ProxyMode, address: Address) -> str | None:
        upstreams = self._upstreams.get(mode.full_spec)
        if upstreams and address not in upstreams and address not in self._proxies:
            return "it is not the upstream"
        ours = [_ip(host) for host, port in self._own() if port == address[1]]
        for ip in await self._numbers(address, look_up=bool(ours) or self._exposed):
            if any(_leads_to(ip, listening) for listening in ours):
                return "that is replayproxy itself"
            if ip.is_link_local and not isinstance(mode, mode_specs.LocalMode):
                return "it is a link-local address"
        return None

    async def _numbers(self, address: Address, *, look_up: bool) -> list[_IP]:
        """The IP addresses of an address, as far as they are to be known."""
        with suppress(ValueError):
            return [_ip(address[0])]
        if not look_up:
            return []
        loop = asyncio.get_running_loop()
        with suppress(OSError):  # connecting will say what is wrong with it
            found = await loop.getaddrinfo(*address, type=socket.SOCK_STREAM)
            return [_ip(str(entry[4][0])) for entry in found]
        return []


def _ip(text: str) -> _IP:
    """Raises ValueError: it is a name."""
    ip = ipaddress.ip_address(text.strip("[]").partition("%")[0])
    return (isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped) or ip


def _leads_to(ip: _IP, listening: _IP) -> bool:
    """Whether who connects to an address reaches what listens at the other."""
    if ip.is_unspecified:
        return listening.is_unspecified or listening.is_loopback
    return ip == listening or (listening.is_unspecified and _is_local(ip))


def _is_local(ip: _IP) -> bool:
    """Whether it is an address of this machine: then it can be listened on."""
    family = socket.AF_INET if ip.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as any_socket:
        try:
            any_socket.bind((str(ip), 0))
        except OSError:
            return False
    return True


class ProxyPassword:
    """Shows the next proxy (`upstream:`) user and password, and nobody else."""

    def __init__(self, user_and_password: str) -> None:
        self._basic = "Basic " + base64.b64encode(user_and_password.encode()).decode()

    def http_connect_upstream(self, flow: http.HTTPFlow) -> None:
        """What we say to the proxy before a tunnel."""
        flow.request.headers["Proxy-Authorization"] = self._basic

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        """Requests in the clear go to the proxy without a tunnel."""
        is_upstream = isinstance(flow.client_conn.proxy_mode, mode_specs.UpstreamMode)
        if is_upstream and flow.request.scheme == "http":
            flow.request.headers["Proxy-Authorization"] = self._basic
