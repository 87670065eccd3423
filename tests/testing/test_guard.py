"""While a test is replayed, no live API is found, whatever way a client takes."""

import asyncio
import socket
import ssl
from collections.abc import Callable

import pytest

from replayproxy.testing.guard import Guard, LiveCallRefused, guarding
from replayproxy.testing.settings import parse_upstreams


def _connect(host: str, port: int) -> None:
    with socket.socket() as connection:
        connection.connect((host, port))


def _tls(host: str, port: int) -> None:
    context = ssl.create_default_context()
    with socket.socket() as plain, context.wrap_socket(plain, server_hostname=host) as secured:
        secured.connect((host, port))


def _asyncio(host: str, port: int) -> None:
    asyncio.run(asyncio.open_connection(host, port))


WAYS: dict[str, Callable[[str, int], object]] = {
    "create_connection": lambda host, port: socket.create_connection((host, port)),
    "connect": _connect,
    "tls": _tls,
    "asyncio": _asyncio,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("host", "port"), [("api.openai.com", 443), ("127.0.0.1", 9), ("LLM.x", 80)]
)
def test_no_way_leads_to_a_live_api(way: str, host: str, port: int) -> None:
    guard = Guard(parse_upstreams(["a=http://127.0.0.1:9/v1", "b=http://llm.x/v1"]))

    with guarding(guard), pytest.raises(LiveCallRefused, match="may not reach"):
        WAYS[way](host, port)

    assert guard.refused == [host.lower()]


def test_everything_else_is_left_alone_and_nothing_stays() -> None:
    before = (socket.getaddrinfo, socket.socket.connect)

    with (
        guarding(Guard(())),
        guarding(Guard(())),
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
    ):
        assert client.getpeername() == server.getsockname()

    assert (socket.getaddrinfo, socket.socket.connect) == before
