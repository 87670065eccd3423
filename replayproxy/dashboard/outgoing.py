"""A recorded request as it would be sent again: without secrets, by another client.

Secrets were never stored: in their place stands an environment variable.
"""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from replayproxy.address import bracketed
from replayproxy.dashboard.formats import visible
from replayproxy.model import Exchange, Headers, Request
from replayproxy.redaction import FINGERPRINT_PREFIX

MAX_INLINE = 60_000
"""Bytes: the longest argument that Linux takes is 128 kB, and quotes make it longer."""

_KEY_HEADERS = {"authorization": "Bearer ", "x-api-key": "", "api-key": "", "x-goog-api-key": ""}
"""Headers that hold a key, and what stands before it."""

_KEY_NAMES = {
    "gcp.gemini": "GEMINI_API_KEY",
    "gcp.vertex_ai": "GOOGLE_API_KEY",
    "azure.ai.openai": "AZURE_OPENAI_API_KEY",
    "azure.ai.inference": "AZURE_API_KEY",
    "mistral_ai": "MISTRAL_API_KEY",
    "x_ai": "XAI_API_KEY",
}
"""Where it is not the provider's name with `_API_KEY`."""

_OF_THE_CLIENT = frozenset(
    """
    accept-encoding connection content-length expect host keep-alive te traceparent tracestate
    trailer transfer-encoding upgrade user-agent via
    """.split()
)
"""The next client's own business; likewise what begins with one of `_OF_THE_SDK`."""

_OF_THE_SDK = ("x-stainless-", "x-replayproxy")
_TOKEN = re.compile(r"[\w!#$%&'*+.^`|~-]+", re.ASCII)
_PRINTABLE = re.compile(r"[ -~]*")
_STORED_SECRET = re.compile(r"(?<==)fp%3A[0-9a-f]{16}(?=&|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A request to be sent.

    Attributes:
        url: in parts, between which the key belongs; mostly it is one part.
        keys: headers that hold the key, with what stands before it in them.
        key_name: the environment variable.
        left_out: headers that were sent and whose values were not stored.
        show: the command that gives the body, if it cannot stand in a page and come
            out of it byte for byte, or would not look like what it is.
        streamed: whether a stream came back.
    """

    method: str
    url: tuple[str, ...]
    headers: Headers
    keys: Headers = ()
    key_name: str = "API_KEY"
    left_out: tuple[str, ...] = ()
    body: bytes = b""
    show: tuple[str, ...] | None = None
    streamed: bool = False


def outgoing(exchange: Exchange, database: Path) -> Outgoing:
    """The request of an exchange in the database at that path."""
    request = exchange.request
    headers = [(name.lower(), value) for name, value in request.headers]
    stored = [(n, v) for n, v in headers if not v.startswith(FINGERPRINT_PREFIX)]
    secret = [n for n, v in headers if v.startswith(FINGERPRINT_PREFIX)]
    show = ("replayproxy", "show", str(exchange.id), "--db", str(database), "--body", "request")
    return Outgoing(
        method=request.method if _TOKEN.fullmatch(request.method) else "POST",
        url=tuple(_STORED_SECRET.split(f"{origin(request)}{_target(request)}")),
        headers=tuple(pair for pair in stored if _is_sent_again(*pair)),
        keys=tuple((n, _KEY_HEADERS[n]) for n in dict.fromkeys(secret) if n in _KEY_HEADERS),
        key_name=_key_name(exchange.provider),
        left_out=tuple(n for n in secret if _is_sent_again(n, "") and n not in _KEY_HEADERS),
        body=request.body,
        show=None if can_stand_in_a_page(request.body) else show,
        streamed=exchange.streamed,
    )


def origin(request: Request) -> str:
    """Where it was sent: scheme, host, and the port if it is not the scheme's own."""
    default = {"http": 80, "https": 443}.get(request.scheme)
    host = bracketed(request.host)
    return f"{request.scheme}://{host}" + ("" if request.port == default else f":{request.port}")


def can_stand_in_a_page(body: bytes) -> bool:
    """Whether a page shows all of a body, and what is copied from there is the body.

    >>> can_stand_in_a_page(b'{"a": 1}'), can_stand_in_a_page(b"a\\r\\nb")
    (True, False)
    """
    if len(body) > MAX_INLINE:
        return False
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return False
    return "\r" not in text and visible(text) == text


def joined(headers: Headers) -> dict[str, str]:
    """Headers by lower-case name; values of one name joined, as HTTP allows.

    >>> joined((("Accept", "a"), ("accept", "b")))
    {'accept': 'a, b'}
    """
    found: dict[str, str] = {}
    for name, value in headers:
        lowered = name.lower()
        found[lowered] = f"{found[lowered]}, {value}" if lowered in found else value
    return found


def command(words: tuple[str, ...]) -> str:
    """A shell command of one line, that shows all that is in it."""
    return shlex.join(visible(word.replace("\n", "␊").replace("\r", "␍")) for word in words)


def _target(request: Request) -> str:
    """Path and query, such that no character of them ends a line or hides."""
    return "".join(c if "!" <= c <= "~" else _escaped(c) for c in request.target)


def _escaped(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogateescape"))


def _is_sent_again(name: str, value: str) -> bool:
    return (
        name not in _OF_THE_CLIENT
        and not name.startswith(_OF_THE_SDK)
        and _TOKEN.fullmatch(name) is not None
        and _PRINTABLE.fullmatch(value) is not None
    )


def _key_name(provider: str | None) -> str:
    if not provider:
        return "API_KEY"
    return _KEY_NAMES.get(provider) or f"{re.sub(r'\W+', '_', provider).upper()}_API_KEY"
