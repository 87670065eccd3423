"""Answers that hand out a secret: the one kind of body that is not stored as it came.

Rule: the secrets in them become asterisks, byte for byte, so that lengths,
offsets and content-length stay true; what cannot be told apart from a secret
becomes asterisks as a whole. That goes for

* a body that is not whole or not JSON,
* a body in a content-encoding (gzip, ...) that has a secret inside: there is no
  way to write another text at the same length, so its replay cannot be decoded,
* an answer to a request that succeeded in which no secret was found: we would
  not know our way around it.

The endpoints are AIgateway's.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from urllib.parse import unquote

from replayproxy.json_text import UNREADABLE, parse_json
from replayproxy.key_shapes import key_shapes
from replayproxy.model import Request
from replayproxy.redaction import without_secrets

_STRING = re.compile(rb'"((?:[^"\\]++|\\.)*+)"(\s*+:)?', re.DOTALL)
"""A JSON string, and the colon if it is the name of a field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Endpoint:
    """A kind of request whose answer holds a secret, and the fields that are one."""

    method: str
    path: re.Pattern[str]
    fields: frozenset[str]


# without underscores, in lower case
_KEY = frozenset({"key", "apikey", "secret", "secretkey", "token"})
_SECRET = frozenset({"secret", "webhooksecret", "signingsecret", "previoussecret", "key"})
_TOKEN = frozenset({"token", "signature", "sig"})  # a URL's own are found anyway

_HOST = re.compile(r"(?:^|\.)aigateway\.sh$", re.IGNORECASE)
_ENDPOINTS = (
    _Endpoint(
        method="POST",
        path=re.compile(r"/v1/(?:sub-accounts|keys)(?:/[^/]+/rotate)?/?$"),
        fields=_KEY,
    ),
    _Endpoint(method="GET", path=re.compile(r"/v1/webhook-secret/?$"), fields=_SECRET),
    _Endpoint(method="POST", path=re.compile(r"/v1/webhook-secret/rotate/?$"), fields=_SECRET),
    _Endpoint(method="GET", path=re.compile(r"/v1/files/.+/signed/?$"), fields=_TOKEN),
)


def mints_keys(request: Request) -> bool:
    """Whether the answer to this request can hold a secret.

    >>> url = {"scheme": "https", "host": "api.aigateway.sh", "port": 443}
    >>> mints_keys(Request(method="GET", path="/v1/webhook-secret", **url))
    True
    >>> mints_keys(Request(method="GET", path="/v1/models", **url))
    False
    """
    return _endpoint(request) is not None


def _endpoint(request: Request) -> _Endpoint | None:
    if not _HOST.search(request.host.rstrip(".")):
        return None
    method = request.method.upper()
    path = unquote(request.path)
    return next((e for e in _ENDPOINTS if e.method == method and e.path.search(path)), None)


def masked(body: bytes, decoded: bytes, *, request: Request, status: int) -> bytes:
    """The body of an answer as it may be stored; it has the same length.

    Args:
        body: the bytes from the wire, all that came.
        decoded: the same without their content-encoding, as far as it could be undone.
        request: what they answer.
        status: of the answer.
    """
    endpoint = _endpoint(request)
    if endpoint is None:
        return body
    nothing = b"*" * len(body)
    value = _parsed(decoded)
    if value is UNREADABLE:
        return nothing
    secrets = {secret for secret in _secrets(value, endpoint.fields) if secret}
    # the longest first, since one may be a part of another
    hide = partial(_hidden, sorted(secrets, key=len, reverse=True))
    clean = _STRING.sub(hide, decoded)
    if clean == decoded:
        return nothing if status < 400 else body
    return clean if decoded == body else nothing


def _parsed(data: bytes) -> object:
    try:
        return parse_json(data.decode())
    except UnicodeDecodeError:
        return UNREADABLE


def _secrets(value: object, fields: frozenset[str], *, inside: bool = False) -> Iterator[str]:
    """Every text in a field of these names, and every secret parameter of a URL."""
    match value:
        case dict():
            for name, inner in value.items():
                is_secret = inside or name.lower().replace("_", "") in fields
                yield from _secrets(inner, fields, inside=is_secret)
        case list():
            for inner in value:
                yield from _secrets(inner, fields, inside=inside)
        case str() if inside:
            yield value
        case str():
            for parameter in value.partition("?")[2].split("&"):
                if parameter and not without_secrets(parameter):
                    yield parameter.partition("=")[2]


def _hidden(secrets: Sequence[str], string: re.Match[bytes]) -> bytes:
    inner, follows = string.groups()
    if follows:
        return string[0]  # the name of a field
    text: str = json.loads(string[0])
    if key_shapes(text.encode("utf-8", "replace")):
        inner = b"*" * len(inner)
    for secret in secrets:
        if secret in text:
            inner = _without(inner, secret.encode("utf-8", "surrogatepass"))
    return b'"%b"' % inner


def _without(inner: bytes, secret: bytes) -> bytes:
    if b"\\" in inner:  # it may be written in another way
        return b"*" * len(inner)
    return inner.replace(secret, b"*" * len(secret))
