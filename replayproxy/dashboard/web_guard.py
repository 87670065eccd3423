"""What every request must be, and what every response must say: an ASGI wrapper.

Asked for by one of our own names (else a web page could reach us by pointing its
own name at 127.0.0.1), only to read, and not from another site's page. Answered
with a Content-Security-Policy under which nothing runs that we did not write:
scripts need the response's nonce, which only the text of templates gets.
"""

import secrets
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from contextvars import ContextVar
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

type Scope = MutableMapping[str, Any]
type Message = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[Message]]
type Send = Callable[[Message], Awaitable[None]]
type App = Callable[[Scope, Receive, Send], Awaitable[None]]

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_nonce: ContextVar[str] = ContextVar("replayproxy_nonce", default="")

_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'nonce-{nonce}'",
        # Datasette's own pages have <style> blocks and style attributes; charts have the latter.
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)


class WebGuard:
    """Wraps the application.

    `hosts` are names it may be reached by besides the loopback's. With `addresses` any IP
    address does, too: a page that points its name at us still comes with its name.
    """

    def __init__(self, app: App, *, hosts: Iterable[str] = (), addresses: bool = False) -> None:
        self._addresses = addresses
        self._app = app
        self._hosts = LOOPBACK_NAMES | {host.lower() for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # there are no web sockets here
        nonce = secrets.token_urlsafe(16)
        _nonce.set(nonce)
        guarded = _with_headers(send, nonce)
        refusal = self._refusal(scope)
        if refusal is None:
            await self._app(scope, receive, guarded)
        else:
            await _refuse(guarded, *refusal)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        headers = _headers(scope)
        hosts, origins = headers.get("host", []), headers.get("origin", [])
        if len(hosts) != 1 or not self._is_ours(_host_name(hosts[0])):
            return 421, "This dashboard does not answer to that name. Use the URL it printed."
        if any(origin.partition("//")[2] != hosts[0] for origin in origins):
            return 403, "This dashboard does not answer to other sites."
        if scope["method"] not in {"GET", "HEAD"}:
            return 405, "This dashboard is read-only."
        return None

    def _is_ours(self, name: str | None) -> bool:
        return name in self._hosts or (self._addresses and _is_address(name or ""))


def nonce() -> str:
    """What the scripts of the page that is being answered must carry."""
    return _nonce.get()


def _headers(scope: Scope) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        found.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return found


def _host_name(host: str) -> str | None:
    """The name in a Host header, without its port; None for what is none.

    >>> _host_name("LocalHost:8001"), _host_name("[::1]:80"), _host_name("a@b"), _host_name("")
    ('localhost', '::1', None, None)
    """
    try:
        parts = urlsplit(f"//{host}")
        return None if "@" in host or parts.path or parts.query else parts.hostname
    except ValueError:
        return None


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _with_headers(send: Send, nonce: str) -> Send:
    policy = (b"content-security-policy", _POLICY.format(nonce=nonce).encode())
    ours = dict((*_HEADERS, policy))

    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            # A header that is there already was set for a reason: raw bodies are sandboxed.
            present = {name.lower() for name, _ in message.get("headers", [])}
            added = [(name, value) for name, value in ours.items() if name not in present]
            message = {**message, "headers": [*message.get("headers", []), *added]}
        await send(message)

    return guarded


async def _refuse(send: Send, status: int, text: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": f"{text}\n".encode()})
