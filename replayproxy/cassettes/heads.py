"""Where a request went, and the headers of both sides, as lines that people can read.

Rule: no secret is written, and no fingerprint of one: in its place stands `REDACTED`.
"""

import re
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from replayproxy.model import Headers, Request
from replayproxy.redaction import is_kept, redact_headers, redact_request

REDACTED = "REDACTED"
"""No fingerprint either: its key never leaves a database, and would change every line."""
PLACE = ("scheme", "host", "port", "path", "query")

_AUTO = "auto"
"""Instead of a content-length that is the body's: nobody has to count when editing."""
_DEFAULT_PORTS = {"http": 80, "https": 443}
_FINGERPRINT = re.compile(r"fp(?::|%3A)[0-9a-f]{16}")


class NotHeadError(Exception):
    """What stands in the file is no URL, or are no headers. The message says why."""


def render(headers: Headers, length: int) -> str | list[list[str]]:
    """A line for each, or a list of pairs where lines would not do.

    Args:
        length: of the body.

    >>> render((("Authorization", "Bearer sk-1"), ("Content-Length", "5")), 5)
    'Authorization: REDACTED\\nContent-Length: auto\\n'
    """
    shown = tuple(
        (name, _AUTO if _is_length(name) and value == str(length) else value)
        for name, value in hidden_headers(headers)
    )
    lines = "".join(f"{name}: {value}".rstrip(" ") + "\n" for name, value in shown)
    return lines if parse(lines) == shown else [list(pair) for pair in shown]


def parse(found: object) -> Headers:
    """The headers that `render` gave.

    Raises:
        NotHeadError: these are none.
    """
    match found:
        case None:
            return ()
        case str():
            pairs = (line.partition(":") for line in found.split("\n") if line)
            return tuple((name, value.removeprefix(" ")) for name, _, value in pairs)
        case list() if all(_is_pair(item) for item in found):
            return tuple((name, value) for name, value in found)
        case _:
            raise NotHeadError("headers must be lines of text, `Name: value`")


def with_length(headers: Headers, length: int) -> Headers:
    """The headers of a body of this length."""
    return tuple(
        (name, str(length) if _is_length(name) and value == _AUTO else value)
        for name, value in headers
    )


def hidden(request: Request) -> Request:
    """The request as it stands in a cassette."""
    shown = redact_request(request, key=b"")
    return replace(
        shown,
        query=_FINGERPRINT.sub(REDACTED, shown.query),
        headers=hidden_headers(request.headers),
    )


def hidden_headers(headers: Headers) -> Headers:
    """The headers as they stand in a cassette, but for their length."""
    return tuple(
        (name, _without_secret(name, value)) for name, value in redact_headers(headers, key=b"")
    )


def render_place(request: Request) -> dict[str, Any]:
    """The URL, or its parts where they could not be told from it."""
    shown = hidden(request)
    host = f"[{shown.host}]" if ":" in shown.host else shown.host
    port = "" if shown.port == _DEFAULT_PORTS.get(shown.scheme) else f":{shown.port}"
    url = f"{shown.scheme}://{host}{port}{shown.target}"
    parts = {name: getattr(shown, name) for name in PLACE}
    return {"url": url} if _split(url) == parts else parts


def parse_place(found: dict[str, Any]) -> dict[str, Any]:
    """The parts, as `Request` has them.

    Raises:
        NotHeadError: there is no URL, or none that makes sense.
    """
    if "url" in found:
        parts = _split(str(found["url"]))
    else:
        parts = {name: found[name] for name in PLACE if name in found}
    texts = [parts.get(name) for name in PLACE if name != "port"]
    if type(parts.get("port")) is not int or not all(isinstance(text, str) for text in texts):
        raise NotHeadError(f"{found.get('url')!r} is no URL, such as https://host/v1/models"[:200])
    return parts


def _without_secret(name: str, value: str) -> str:
    """A value that was redacted, without its fingerprint."""
    if name.lower() == "location" or not is_kept(name):
        return _FINGERPRINT.sub(REDACTED, value)
    return value


def _is_length(name: str) -> bool:
    return name.lower() == "content-length"


def _is_pair(item: object) -> bool:
    return isinstance(item, list) and len(item) == 2 and all(isinstance(t, str) for t in item)


def _split(url: str) -> dict[str, Any]:
    start, _, query = url.partition("?")
    try:
        parts = urlsplit(start)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return {}
    if parts.fragment or not parts.hostname or port is None:
        return {}
    _, slash, path = start.partition("://")[2].partition("/")
    return {
        "scheme": parts.scheme,
        "host": parts.hostname,
        "port": port,
        "path": slash + path or "/",
        "query": query,
    }
