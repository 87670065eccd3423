"""mitmproxy, with our addons and little else. The only module that runs it.

Our own `Master` with just the addons that carry traffic costs half as much per
exchange as mitmdump's thirty (see tests/benchmarks); its options stay
mitmproxy's. Needs the `proxy` extra.
"""

import asyncio
import importlib.util
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import certifi
from mitmproxy import addonmanager, connection, hooks, http, options
from mitmproxy.addons import (
    block,
    core,
    disable_h2c,
    dns_resolver,
    next_layer,
    proxyserver,
    tlsconfig,
)
from mitmproxy.exceptions import AddonHalt, OptionsError
from mitmproxy.master import Master
from mitmproxy.proxy.mode_specs import ProxyMode, UpstreamMode

from replayproxy.authorities import trusting
from replayproxy.capture_modes import Address, Entrance
from replayproxy.errors import ListenError, UsageError
from replayproxy.routing import Fence, ProxyPassword, Router
from replayproxy.shipped import addons_path

MAX_STREAMS = 128
"""How many requests one client connection can have open at once."""

TCP_TIMEOUT_S = 3600
"""mitmproxy's 10 minutes would cut a model that thinks for longer."""


def load_addon(name: str) -> ModuleType:
    """The script `addons/NAME.py`, as `mitmdump -s` would load it."""
    path = addons_path(f"{name}.py")
    spec = importlib.util.spec_from_file_location(f"replayproxy_addon_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class _StreamTheRest:
    """What nobody records passes through as it comes, not after its last byte."""

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        if flow.response and flow.response.stream is False:
            flow.response.stream = True


class _ManyStreams:
    """A client's HTTP/2 streams each get an upstream connection; mitmproxy allows but five."""

    def __init__(self, servers: proxyserver.Proxyserver) -> None:
        self._servers = servers

    def client_connected(self, client: connection.Client) -> None:
        if handler := self._servers.connections.get(client.id):
            handler.max_conns = defaultdict(lambda: asyncio.Semaphore(MAX_STREAMS))


class _Ready:
    """Tells when all servers are up, or which one is not."""

    def __init__(self) -> None:
        self.event = asyncio.Event()

    def running(self) -> None:
        self.event.set()


class _Addons(addonmanager.AddonManager):
    """Asks for each hook only those who have it.

    mitmproxy looks for every hook in every addon, every time, though most have none
    of it: a tenth of what a short exchange costs.
    """

    def __init__(self, master: Master) -> None:
        super().__init__(master)  # type: ignore[no-untyped-call]
        self._listeners: dict[str, list[object]] = {}

    def add(self, *addons: object) -> None:
        super().add(*addons)  # type: ignore[no-untyped-call]
        self._listeners.clear()

    async def trigger_event(self, event: hooks.Hook) -> None:
        if event.name not in self._listeners:
            self._listeners[event.name] = [
                addon
                for addon in self.chain
                if any(hasattr(part, event.name) for part in addonmanager.traverse([addon]))
            ]
        for addon in self._listeners[event.name]:
            try:
                with addonmanager.safecall():
                    await self.invoke_addon(addon, event)
            except AddonHalt:
                return


class Proxy:
    """A running proxy.

    Attributes:
        addresses: where each entrance listens; None: nowhere.
    """

    def __init__(self, master: Master, addresses: Sequence[Address | None]) -> None:
        self.addresses = addresses
        self._master = master

    @property
    def port(self) -> int:
        """Of the first entrance that has one; 0: none has."""
        return next((address[1] for address in self.addresses if address), 0)

    def wireguard_settings(self) -> str | None:
        """What a WireGuard client has to be given, its key included."""
        servers: Any = self._master.addons.get("proxyserver")
        settings = (server.to_json().get("wireguard_conf") for server in servers.servers)
        return next((text for text in settings if text), None)

    async def stop_accepting(self) -> None:
        """No new connections; those that are open go on."""
        servers: Any = self._master.addons.get("proxyserver")
        await servers.servers.update([])


@asynccontextmanager
async def running(
    addons: Iterable[object],
    *,
    entrances: Sequence[Entrance],
    confdir: Path,
    expose: bool = False,
    upstream_ca: Path | None = None,
    upstream_auth: str | None = None,
) -> AsyncIterator[Proxy]:
    """Run a proxy for the length of a `with` block.

    Args:
        addons: ours, in their order.
        entrances: how traffic reaches it.
        expose: whether clients of other machines may come, too.
        upstream_ca: a PEM file of authorities to trust besides the public ones.
        upstream_auth: `USER:PASSWORD` for the proxy of an `upstream` entrance.
        confdir: where its certificate authority lives.

    Raises:
        ListenError: the address cannot be bound.
        UsageError: a capture mode cannot be had.
    """
    with suppress(ImportError, AttributeError):  # it looks inside mitmproxy, which may change
        from replayproxy import mending

        mending.mend()
    ready = _Ready()
    servers = proxyserver.Proxyserver()
    master = Master(options.Options())
    master.addons = _Addons(master)
    master.addons.add(
        core.Core(),
        block.Block(),
        disable_h2c.DisableH2C(),
        servers,
        next_layer.NextLayer(),
        tlsconfig.TlsConfig(),
        *_rules(entrances, servers, expose=expose, upstream_auth=upstream_auth),
        *addons,
        dns_resolver.DnsResolver(),  # for the clients in a WireGuard tunnel
        _ManyStreams(servers),
        _StreamTheRest(),
        ready,
    )
    with _trusted(upstream_ca) as trusted:
        _configure(master, _settings(confdir, entrances, expose, trusted))
        serving = asyncio.create_task(master.run())
        up = asyncio.create_task(ready.event.wait())
        try:
            await asyncio.wait({serving, up}, return_when=asyncio.FIRST_COMPLETED)
            if serving.done():
                serving.result()
            yield Proxy(master, [_bound(servers, entrance) for entrance in entrances])
        finally:
            up.cancel()
            master.shutdown()
            await asyncio.wait({serving})


@contextmanager
def _trusted(upstream_ca: Path | None) -> Iterator[str | None]:
    """A file of the public authorities and these, for mitmproxy takes just one file."""
    if upstream_ca is None:
        yield None
        return
    trusting(upstream_ca)  # or it is said what is wrong with it
    more = upstream_ca.read_bytes()
    with tempfile.NamedTemporaryFile(suffix=".pem") as bundle:
        bundle.write(b"%b\n%b" % (certifi.contents().encode(), more))
        bundle.flush()
        yield bundle.name


def _rules(
    entrances: Sequence[Entrance],
    servers: proxyserver.Proxyserver,
    *,
    expose: bool,
    upstream_auth: str | None,
) -> Iterator[object]:
    """What decides where requests go, and where none may."""
    named = [_mode(e.spec) for e in entrances if e.mode == "upstream"]
    proxies = [(mode.scheme, mode.address) for mode in named if isinstance(mode, UpstreamMode)]
    via = proxies[0] if proxies else None
    if via or any(route.prefix for entrance in entrances for route in entrance.routes):
        yield Router(entrances, via=via)
    if via and upstream_auth:
        yield ProxyPassword(upstream_auth)
    yield Fence(
        entrances,
        own=lambda: {
            (address[0], address[1])
            for server in servers.servers
            for address in server.listen_addrs
        },
        proxies=[address for _, address in proxies],
        exposed=expose,
    )


def _mode(spec: str) -> ProxyMode:
    try:
        return ProxyMode.parse(spec)
    except ValueError as error:
        raise UsageError(f"--mode {spec}: {error}") from error


def _settings(
    confdir: Path, entrances: Sequence[Entrance], expose: bool, trusted: str | None
) -> dict[str, Any]:
    # whose clients have addresses of their own; WireGuard's have shown a key
    others = any(entrance.mode in {"transparent", "wireguard"} for entrance in entrances)
    return {
        "mode": [entrance.spec for entrance in entrances],
        "confdir": str(confdir),
        # it means clients, not upstreams: it turns away whoever is not of this machine
        "block_private": not (expose or others),
        "ssl_verify_upstream_trusted_ca": trusted,
        "connection_strategy": "lazy",  # so that an upstream that refuses is a recorded 502
        "tcp_timeout": TCP_TIMEOUT_S,
    }


def _configure(master: Master, settings: dict[str, Any]) -> None:
    try:
        master.options.update(**settings)
    except (OptionsError, KeyError) as error:
        raise UsageError(str(error)) from error


def _bound(servers: proxyserver.Proxyserver, entrance: Entrance) -> Address | None:
    """Where an entrance listens."""
    instance: Any = servers.servers[entrance.spec]
    if error := instance.last_exception:
        reason = getattr(error, "strerror", None) or str(error)
        if entrance.address is None or not isinstance(error, OSError):
            raise UsageError(f"--mode {entrance.spec}: {reason}") from error
        host, port = entrance.address
        raise ListenError(host=host, port=port, reason=reason) from error
    addresses = instance.listen_addrs
    return (addresses[0][0], int(addresses[0][1])) if addresses else None
