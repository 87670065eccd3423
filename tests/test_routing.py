"""Where nobody is led: the fence, asked what mitmproxy asks it."""

import asyncio

import pytest
from mitmproxy import connection
from mitmproxy.proxy import mode_specs, server_hooks

from replayproxy.capture_modes import Address, entrances
from replayproxy.routing import Fence

LISTEN = ("127.0.0.1", 8080)
UPSTREAM = "reverse:http://one.example:80@127.0.0.1:8080"


def refusal(
    address: Address,
    *,
    mode: str = "regular@8080",
    own: tuple[Address, ...] = (LISTEN,),
    exposed: bool = False,
    upstreams: tuple[str, ...] = (),
) -> str | None:
    """What a connection to an address is refused with."""
    fence = Fence(
        entrances(LISTEN, upstreams=upstreams),
        own=lambda: own,
        proxies=[("proxy.example", 3128)],
        exposed=exposed,
    )
    client = connection.Client(
        peername=("127.0.0.1", 1), sockname=LISTEN, proxy_mode=mode_specs.ProxyMode.parse(mode)
    )
    data = server_hooks.ServerConnectionHookData(
        server=connection.Server(address=address), client=client
    )
    asyncio.run(fence.server_connect(data))
    return data.server.error


EVERYWHERE = ("0.0.0.0", 8080)  # noqa: S104 (nothing is bound)


@pytest.mark.parametrize(
    ("address", "own"),
    [
        (("127.0.0.1", 8080), LISTEN),
        (("localhost", 8080), LISTEN),
        (EVERYWHERE, LISTEN),
        (("::ffff:127.0.0.1", 8080), LISTEN),
        (("127.9.9.9", 8080), EVERYWHERE),
        (("::1", 8080), ("::1", 8080)),
    ],
)
def test_nobody_is_led_to_ourselves(address: Address, own: Address) -> None:
    assert "that is replayproxy itself" in (refusal(address, own=(own,)) or "")


@pytest.mark.parametrize(
    ("address", "own"),
    [
        (("127.0.0.1", 8081), LISTEN),
        (("127.0.0.2", 8080), LISTEN),  # somebody else's, at the same port
        (("192.0.2.1", 8080), EVERYWHERE),
        (("no-such-name.invalid", 8080), LISTEN),
        (("api.openai.com", 443), LISTEN),
    ],
)
def test_everybody_else_is_reached(address: Address, own: Address) -> None:
    assert refusal(address, own=(own,)) is None


@pytest.mark.parametrize("host", ["169.254.169.254", "fe80::1", "fe80::1%eth0", "[fe80::1]",
                                  "::ffff:169.254.1.1"])  # fmt: skip
def test_nobody_is_led_to_link_local_addresses(host: str) -> None:
    assert "link-local" in (refusal((host, 80)) or "")


def test_a_program_of_this_machine_reaches_them_without_us_anyway() -> None:
    assert refusal(("169.254.169.254", 80), mode="local:curl") is None


def test_names_are_looked_up_for_the_machines_of_others() -> None:
    own = (("127.0.0.1", 1),)

    assert refusal(("localhost", 80), own=own, exposed=True) is None
    assert "itself" in (refusal(("localhost", 1), own=own, exposed=True) or "")


def test_a_base_url_port_leads_to_its_upstream_or_through_the_named_proxy() -> None:
    upstreams = ("http://one.example",)

    def ask(address: Address) -> str | None:
        return refusal(address, mode=UPSTREAM, upstreams=upstreams)

    assert ask(("one.example", 80)) is None
    assert ask(("proxy.example", 3128)) is None
    assert "it is not the upstream" in (ask(("one.example", 81)) or "")
    assert "it is not the upstream" in (ask(("other.example", 80)) or "")
