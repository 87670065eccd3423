"""How traffic reaches us: what `--upstream` and `--mode` say, as the ports that listen.

Rule: a port has one capture mode, in mitmproxy's words. The base-URL ways (`reverse`)
are told by `--upstream`, since they need to know where to; all others by `--mode`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from replayproxy.address import Upstream, parse_upstream, url_of
from replayproxy.errors import UsageError

type Address = tuple[str, int]

MODES = ("regular", "socks5", "transparent", "upstream", "wireguard", "local")
_OWN_PORTS = {"socks5": 1080, "wireguard": 51820}
_TAKES_ARGUMENT = frozenset({"upstream", "wireguard", "local"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Paths under a prefix ("" are all) are an upstream's."""

    prefix: str
    upstream: Upstream

    def base_url(self, host: str, port: int) -> str:
        """What a client has for its base URL, as far as we know it."""
        path = self.upstream.path or "/v1 (or whatever path the API has)"
        return f"{url_of(host, port)}{self.prefix}{path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrance:
    """One port, and what comes in there.

    Attributes:
        mode: mitmproxy's word: `regular`, `reverse`, `socks5`, ...
        argument: what the mode needs to know: `curl` of `local:curl`.
        address: where it listens; None: nowhere, the system brings the traffic.
        routes: of `reverse`: which path is whose.
    """

    mode: str
    argument: str = ""
    address: Address | None
    routes: tuple[Route, ...] = ()

    @property
    def spec(self) -> str:
        """As mitmproxy's `mode` option has it."""
        argument = self.routes[0].upstream.origin if self.routes else self.argument
        at = f"@{self.address[0]}:{self.address[1]}" if self.address else ""
        return f"{self.mode}{':' if argument else ''}{argument}{at}"


def routed(path: str, routes: Iterable[Route]) -> tuple[Route, str] | None:
    """The route of a path, and the path as the upstream knows it; None: it has none.

    >>> openai = Route(prefix="/openai", upstream=parse_upstream("https://api.openai.com"))
    >>> routed("/openai/v1/models", [openai])[1], routed("/openaix", [openai])
    ('/v1/models', None)
    """
    for route in sorted(routes, key=lambda route: len(route.prefix), reverse=True):
        rest = path.removeprefix(route.prefix)
        if path.startswith(route.prefix) and rest[:1] in {"", "/", "?"}:
            return route, rest if rest.startswith("/") else f"/{rest}"
    return None


def entrances(
    listen: Address, *, modes: Sequence[str] = (), upstreams: Sequence[str] = ()
) -> tuple[Entrance, ...]:
    """All ports, the one of `--listen` first.

    Args:
        modes: `MODE[:ARGUMENT][@[HOST:]PORT]`. Without any, and without upstreams: `regular`.
        upstreams: `[/PREFIX=|[HOST:]PORT=]URL`.

    Raises:
        UsageError: with what it should look like.
    """
    routes: dict[Address, list[Route]] = {}
    for text in upstreams:
        address, route = _parse_route(text, listen)
        others = routes.setdefault(address, [])
        if any(other.prefix == route.prefix for other in others):
            raise UsageError(
                f"--upstream {text!r}: another one has the same paths. Several on one port "
                "need a prefix each (/openai=https://api.openai.com), or else a port each "
                "(8081=https://api.openai.com)."
            )
        others.append(route)
    found = [
        Entrance(mode="reverse", address=address, routes=tuple(of_it))
        for address, of_it in routes.items()
    ]
    found.sort(key=lambda entrance: entrance.address != listen)
    for text in modes or (() if upstreams else ("regular",)):
        found.append(_parse_mode(text, listen, is_taken=any(e.address == listen for e in found)))
    return tuple(found)


def named_upstreams(entrances: Iterable[Entrance]) -> list[Upstream]:
    """All upstreams that were named."""
    return [route.upstream for entrance in entrances for route in entrance.routes]


def _parse_route(text: str, listen: Address) -> tuple[Address, Route]:
    where, equals, url = text.partition("=")
    if not equals or "://" in where:
        return listen, Route(prefix="", upstream=parse_upstream(text))
    upstream = parse_upstream(url)
    if where.startswith("/"):
        return listen, Route(prefix=where.rstrip("/"), upstream=upstream)
    return _parse_address(where, listen, f"--upstream {text!r}"), Route(
        prefix="", upstream=upstream
    )


def _parse_mode(text: str, listen: Address, *, is_taken: bool) -> Entrance:
    head, at, where = text.rpartition("@")
    if not at:
        head = text
    mode, colon, argument = head.partition(":")
    mode = mode.lower()
    if mode == "reverse":
        raise UsageError(f"--mode {text}: where to is told by --upstream {argument or 'URL'}")
    if mode not in MODES or (colon and mode not in _TAKES_ARGUMENT):
        raise UsageError(f"--mode {text!r} is none of {_EXAMPLES}, each with @[HOST:]PORT")
    if mode == "upstream":
        _check_proxy(argument)
    if mode == "local":
        return Entrance(mode=mode, argument=argument, address=None)
    if at:
        address = _parse_address(where, listen, f"--mode {text!r}")
    elif not is_taken and mode != "wireguard":  # it is no TCP port, and nobody's first choice
        address = listen
    elif mode in _OWN_PORTS:
        address = (listen[0], _OWN_PORTS[mode])
    else:
        raise UsageError(f"--mode {text} needs a port of its own, such as {text}@8081")
    return Entrance(mode=mode, argument=argument, address=address)


_EXAMPLES = "regular, socks5, transparent, wireguard, local:NAME, upstream:http://PROXY:PORT"


def _check_proxy(url: str) -> None:
    try:
        proxy = urlsplit(url)
        is_proxy = bool(proxy.hostname) and proxy.port != 0 and proxy.username is None
    except ValueError:  # a password stands where the port should be
        is_proxy = False
    if not is_proxy:
        raise UsageError(
            "--mode upstream:PROXY: the proxy looks like http://proxy.example:3128. Its user and "
            "password are told by the environment: REPLAYPROXY_UPSTREAM_AUTH=USER:PASSWORD"
        )


def _parse_address(text: str, listen: Address, option: str) -> Address:
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or int(port) > 65535:
        raise UsageError(f"{option}: {text!r} is neither a port nor HOST:PORT")
    return host.strip("[]") or listen[0], int(port)
