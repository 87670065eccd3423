"""Secrets out of headers and URLs, before anything is stored, logged or shown.

Headers follow an allow-list: what is known to be harmless is kept, every other
value becomes a keyed fingerprint, `fp:` and 16 hex digits. Equal values give
equal fingerprints within one database, and the key never leaves it.
"""

import hashlib
import hmac
import re
from dataclasses import replace
from functools import lru_cache
from urllib.parse import quote, unquote

from replayproxy.model import Headers, Request

FINGERPRINT_PREFIX = "fp:"

_KEPT = frozenset(
    """
    accept accept-charset accept-encoding accept-language accept-ranges age allow
    api-version azureml-model-session cache-control cf-cache-status cf-ray connection
    content-disposition content-encoding content-language content-length content-range
    content-type date deprecation etag expect expires host if-modified-since
    if-none-match keep-alive last-modified openai-beta openai-model
    openai-processing-ms openai-version pragma range request-id retry-after
    retry-after-ms server server-timing strict-transport-security sunset te
    traceparent trailer transfer-encoding upgrade user-agent vary via x-cache
    x-cached-input-units x-content-type-options x-cost-cents x-envoy-upstream-service-time
    x-ms-region x-request-id x-should-retry
    """.split()
)
_KEPT_PREFIXES = (
    "access-control-",
    "anthropic-beta",
    "anthropic-dangerous-direct-browser-access",
    "anthropic-ratelimit-",
    "anthropic-version",
    "x-aig-",
    "x-auto-",
    "x-ratelimit-",
    "x-replayproxy",
    "x-routing",
    "x-stainless-",
)

_SECRET_PARAMETER = re.compile(
    r"(?:^|[_.-]|access|api|auth|bearer|client|id|private|refresh|secret|security|session)"
    r"(?:key|apikey|token|sig|signature|secret|password|passwd|pwd|auth"
    r"|authorization|credential|credentials|jwt|session)$"
    r"|^x-(?:amz|goog)-",
    re.IGNORECASE,
)


# Positions in a list, not credentials: pages of one list are different requests.
_HARMLESS_PARAMETER = re.compile(r"(?:page|next|continuation|sync)[_-]?token$", re.IGNORECASE)


@lru_cache(maxsize=256)  # the same few keys come with every request
def fingerprint(value: str, *, key: bytes) -> str:
    """A short keyed digest that tells equal secrets from different ones.

    >>> fingerprint("sk-1", key=b"k")
    'fp:45c8e87031fdbc7f'
    """
    digest = hmac.new(key, value.encode("utf-8", "surrogateescape"), hashlib.sha256)
    return FINGERPRINT_PREFIX + digest.hexdigest()[:16]


def is_kept(name: str) -> bool:
    """Whether a header of this name is stored as it is."""
    lowered = name.lower()
    return lowered in _KEPT or lowered.startswith(_KEPT_PREFIXES)


def redact_request(request: Request, *, key: bytes) -> Request:
    """The request as it is stored."""
    return replace(
        request,
        headers=redact_headers(request.headers, key=key),
        query=redact_query(request.query, key=key),
    )


def redact_headers(headers: Headers, *, key: bytes) -> Headers:
    """The same headers, with every value that is not known to be harmless fingerprinted.

    `Location` is a URL: only what is secret in it goes.
    """
    return tuple((name, _redacted_header(name, value, key)) for name, value in headers)


def _redacted_header(name: str, value: str, key: bytes) -> str:
    if name.lower() == "location" and value.startswith(("/", "http://", "https://")):
        return redact_url(value, key=key)
    return value if is_kept(name) else fingerprint(value, key=key)


def redact_url(url: str, *, key: bytes) -> str:
    """A URL with its user info and secret parameters fingerprinted; all else byte for byte.

    >>> redact_url("https://me:pw@host/path?token=1&n=2#end", key=b"k")
    'https://fp%3A01bbfdf58be5048c@host/path?token=fp%3A0aa2054d88556d7e&n=2#end'
    """
    rest, hash_mark, fragment = url.partition("#")
    start, question_mark, query = rest.partition("?")
    scheme, slashes, place = start.partition("//")
    authority, slash, path = place.partition("/")
    user, at, host = authority.rpartition("@")
    if at:
        authority = f"{quote(fingerprint(user, key=key), safe='')}@{host}"
    return "".join(
        (
            scheme,
            slashes,
            authority,
            slash,
            path,
            question_mark,
            redact_query(query, key=key),
            hash_mark,
            redact_query(fragment, key=key),
        )
    )


def redact_query(query: str, *, key: bytes) -> str:
    """The query with secret parameters fingerprinted; all else byte for byte.

    >>> redact_query("alt=sse&key=AIza", key=b"k")
    'alt=sse&key=fp%3Ac4076124882935e2'
    """
    return "&".join(_redacted(parameter, key) for parameter in query.split("&"))


def without_secrets(query: str) -> str:
    """The query without its secret parameters: what a match key is made of.

    >>> without_secrets("alt=sse&key=AIza")
    'alt=sse'
    """
    return "&".join(p for p in query.split("&") if not _is_secret(p))


def _is_secret(parameter: str) -> bool:
    name = unquote(parameter.partition("=")[0])
    return bool(_SECRET_PARAMETER.search(name)) and not _HARMLESS_PARAMETER.search(name)


def _redacted(parameter: str, key: bytes) -> str:
    name, equals, value = parameter.partition("=")
    if not equals or not _is_secret(parameter):
        return parameter
    return f"{name}={quote(fingerprint(value, key=key), safe='')}"
