"""While a test is replayed, nothing in its process finds the way to an LLM API.

Rule: it is the name of a host that is refused, before any connection: a client that was
built with a URL of its own fails at once, and the test's report says why.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from replayproxy.providers import provider_of
from replayproxy.testing.settings import NamedUpstream

_lock = threading.Lock()
_guards: list["Guard"] = []
_unguarded: tuple[Any, Any] = (socket.getaddrinfo, socket.socket.connect)
"""What was there before the first guard came: perhaps not Python's own."""


class LiveCallRefused(ConnectionRefusedError):
    """A test that is replayed wanted to reach a live API."""


class Guard:
    """Refuses the hosts of these upstreams, and those of known LLM APIs.

    Attributes:
        refused: where somebody wanted to go, once each.
    """

    def __init__(self, upstreams: tuple[NamedUpstream, ...]) -> None:
        self.refused: list[str] = []
        self._upstreams = {(u.address.host, u.address.port) for u in upstreams}

    def check(self, host: str, port: int | None) -> None:
        """Let pass, or not.

        Raises:
            LiveCallRefused: not.
        """
        if (host, port) not in self._upstreams and provider_of(host) is None:
            return
        if host not in self.refused:
            self.refused.append(host)
        raise LiveCallRefused(
            f"replayproxy: this test is replayed, and may not reach {host}. Point the client at "
            "replayproxy.base_url (OPENAI_BASE_URL and the like are set), or record: "
            "--replayproxy-mode=record"
        )


@contextmanager
def guarding(guard: Guard) -> Iterator[None]:
    """Guard the process for the length of a `with` block; several may be at it."""
    global _unguarded  # noqa: PLW0603 (so is what it stands for)
    with _lock:
        _guards.append(guard)
        if len(_guards) == 1:
            _unguarded = (socket.getaddrinfo, socket.socket.connect)
            socket.getaddrinfo = _getaddrinfo
            socket.socket.connect = _connect  # type: ignore[assignment, method-assign]
    try:
        yield
    finally:
        with _lock:
            _guards.remove(guard)
            if not _guards:
                socket.getaddrinfo, socket.socket.connect = _unguarded  # type: ignore[method-assign]


def _getaddrinfo(host: Any, port: Any, *more: Any, **named: Any) -> Any:
    _check(host, port)
    return _unguarded[0](host, port, *more, **named)


def _connect(connection: socket.socket, address: Any) -> None:
    """For addresses that no name was looked up for."""
    if isinstance(address, tuple) and len(address) > 1:
        _check(address[0], address[1])
    _unguarded[1](connection, address)


def _check(host: Any, port: Any) -> None:
    name = host.decode("latin-1") if isinstance(host, bytes) else host
    if not isinstance(name, str):
        return
    number = int(port) if isinstance(port, int) or str(port).isdigit() else None
    for guard in _guards:
        guard.check(name.rstrip(".").lower(), number)
