"""A password for a dashboard that other machines can reach: HTTP Basic, as an ASGI wrapper.

Basic, and no page with a cookie: browsers, curl and programs that read the JSON know it,
nothing is stored, and no request but GET is ever needed. The price: there is no logging out
short of closing the browser, and, as anything over plain HTTP, the password can be read by
who reads the network. Put TLS in front (a tunnel, a reverse proxy) where that matters.
"""

import base64
import binascii
import hashlib
import hmac
import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import ip_address, ip_network

from replayproxy.dashboard.web_guard import App, Receive, Scope, Send

FREE_TRIES = 5
MAX_WAIT_S = 300.0
MAX_KNOWN = 1_000


class PasswordGuard:
    """Wraps the application: only who says the password reaches it. The user's name is not asked.

    `clock` gives seconds that only grow.
    """

    def __init__(
        self, app: App, password: str, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._app = app
        self._digest = _digest(password)
        self._failures = _Failures(clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or ask for the password."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        client = (scope.get("client") or ("",))[0]
        if wait_s := self._failures.wait_s(client):
            await _refuse(send, 429, f"Too many wrong passwords. Wait {wait_s} s.", retry=wait_s)
            return
        said = _said(scope)
        if said is None:
            await _refuse(send, 401, "This dashboard has a password.")
        elif hmac.compare_digest(_digest(said), self._digest):
            self._failures.forget(client)
            await self._app(scope, receive, send)
        else:
            self._failures.add(client)
            await _refuse(send, 401, "That is not the password of this dashboard.")


class _Failures:
    """Wrong passwords by address: after some, each doubles the time until the next try."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._known: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def wait_s(self, client: str) -> int:
        """How long this one must wait; 0: not at all."""
        _, until = self._known.get(_network(client), (0, 0.0))
        return max(0, -int(-(until - self._clock()) // 1))

    def add(self, client: str) -> None:
        name = _network(client)
        count = self._known.pop(name, (0, 0.0))[0] + 1
        wait_s = min(2.0 ** min(count - FREE_TRIES, 30), MAX_WAIT_S) if count >= FREE_TRIES else 0.0
        self._known[name] = count, self._clock() + wait_s
        if len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)

    def forget(self, client: str) -> None:
        self._known.pop(_network(client), None)


def _network(client: str) -> str:
    """Who shares a limit: an address, or of IPv6 the /64 that one machine can choose from.

    >>> _network("192.0.2.1"), _network("2001:db8::1")
    ('192.0.2.1', '2001:db8::/64')
    """
    try:
        address = ip_address(client)
    except ValueError:
        return client
    return str(ip_network(f"{client}/64", strict=False)) if address.version == 6 else client


def _digest(password: str) -> bytes:
    """Of one length, so that comparing tells nothing of the password's."""
    return hashlib.sha256(password.encode("utf-8", "surrogateescape")).digest()


def _said(scope: Scope) -> str | None:
    """The password of an `Authorization: Basic`; None if there is none."""
    for name, value in scope["headers"]:
        scheme, _, rest = value.partition(b" ")
        if name.lower() == b"authorization" and scheme.lower() == b"basic":
            try:
                decoded = base64.b64decode(rest.strip(), validate=True)
            except binascii.Error:
                return None
            return decoded.partition(b":")[2].decode("utf-8", "surrogateescape")
    return None


async def _refuse(send: Send, status: int, text: str, *, retry: int = 0) -> None:
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        (b"connection", b"close"),
    ]
    if status == 401:
        headers.append((b"www-authenticate", b'Basic realm="replayproxy", charset="UTF-8"'))
    if retry:
        headers.append((b"retry-after", str(retry).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": f"{text}\n".encode()})
