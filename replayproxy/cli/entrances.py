"""How traffic comes in, on the command line: the options, and what is said of each port."""

import os
from collections.abc import Sequence
from pathlib import Path

import click

from replayproxy.address import url_of
from replayproxy.capture_modes import Address, Entrance
from replayproxy.cli import serving
from replayproxy.cli.text import say
from replayproxy.home import ca_file, home

mode_option = click.option(
    "--mode",
    "modes",
    multiple=True,
    metavar="MODE[@[HOST:]PORT]",
    help="Another way in: regular (HTTPS_PROXY), socks5, transparent, wireguard, local:NAME, "
    "upstream:http://PROXY:PORT (behind another proxy). Several are open at once, each on a "
    "port of its own.",
)
upstream_auth_option = click.option(
    "--upstream-auth",
    envvar="REPLAYPROXY_UPSTREAM_AUTH",
    show_envvar=True,
    metavar="USER:PASSWORD",
    help="For the proxy of --mode upstream: better in the environment, where others don't see it.",
)


def check_exposure(entrances: Sequence[Entrance], *, expose: bool) -> None:
    """Refuse what others can reach without a key, unless that was asked for.

    Raises:
        UsageError: with the way out.
    """
    for entrance in entrances:
        if entrance.address and entrance.mode != "wireguard":
            serving.check_exposure(entrance.address[0], expose=expose)


def introduce(
    command: str,
    entrances: Sequence[Entrance],
    addresses: Sequence[Address | None],
    *,
    wireguard: str | None = None,
    takes_all: bool = False,
    opens_tls: bool = True,
) -> None:
    """Say how clients come in; last the line that scripts wait for.

    Args:
        wireguard: the settings of its client.
        takes_all: a port is for clients with a base URL and for those of proxies, alike.
        opens_tls: whether we can.
    """
    for entrance, address in zip(entrances, addresses, strict=True):
        if takes_all and address and entrance.mode == "regular":
            say(f"base URL for clients: {url_of(*address)}/v1 (or whatever path the API has)")
        if opens_tls or entrance.mode == "reverse":
            _say_way_in(entrance, address or ("", 0), wireguard)
        if takes_all and opens_tls and address and entrance.mode == "reverse":
            serving.say_proxy(*address)
    if first := next((address for address in addresses if address), None):
        serving.say_listening(command, *first)
    else:
        say(f"replayproxy {command}: ready")


def _say_way_in(entrance: Entrance, address: Address, wireguard: str | None) -> None:
    host, port = address
    match entrance.mode:
        case "reverse":
            for route in entrance.routes:
                to = f" ({route.upstream.host})" if route.prefix else ""
                say(f"base URL for clients: {route.base_url(host, port)}{to}")
        case "regular" | "upstream":
            serving.say_proxy(host, port)
        case "socks5":
            socks = url_of(host, port).replace("http:", "socks5h:")
            say(f"SOCKS proxy for clients: ALL_PROXY={socks} SSL_CERT_FILE={ca_file()}")
        case "transparent":
            at = url_of(host, port).removeprefix("http://")
            say(f"transparent at {at}: redirect traffic there; clients trust {ca_file()}")
        case "wireguard":
            file = _write_wireguard(wireguard or "")
            say(f"WireGuard at UDP {port}: client settings in {file}; clients trust {ca_file()}")
        case _:
            who = entrance.argument or "every program"
            say(f"capturing the traffic of {who}; it has to trust {ca_file()}")


def _write_wireguard(settings: str) -> Path:
    """For `wg-quick` and the apps: it holds the client's key, so it is nobody else's."""
    file = home() / "wireguard-client.conf"
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as opened:
        opened.write(settings + "\n")
    return file
