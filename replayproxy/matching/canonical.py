"""What of a request counts when it is looked for, in one spelling.

What is asked, not by whom: method, path, query (sorted, without secrets) and
body. A JSON body counts by value: the order of its keys and the spelling of its
numbers don't matter. Nor does the boundary of a multipart body, nor the order
and the escapes of a form's fields.
"""

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from replayproxy.json_text import UNREADABLE, parse_json
from replayproxy.model import Request, header
from replayproxy.redaction import without_secrets

_BOUNDARY = re.compile(r'boundary=(?:"([^"]+)"|([^\s;]+))', re.IGNORECASE)
_ONE_BOUNDARY = b"boundary"


@dataclass(frozen=True, slots=True, kw_only=True)
class Canonical:
    """A request as it is compared.

    Attributes:
        method, path, query: text; the method in capitals.
        body: the value of a JSON body; `bytes` of any other.
        also: what else was asked to count, as (name, value), such as the host.
    """

    method: str
    path: str
    query: str
    body: object
    also: tuple[tuple[str, str], ...] = ()


def canonical(request: Request) -> Canonical:
    """The request in its one spelling.

    >>> canonical(Request(method="post", scheme="https", host="a", port=443, path="/x",
    ...                   query="b=2&a=1&key=secret", body=b'{"n": 1.0}'))
    Canonical(method='POST', path='/x', query='a=1&b=2', body={'n': 1}, also=())
    """
    return Canonical(
        method=request.method.upper(),
        path=request.path,
        query="&".join(sorted(p for p in without_secrets(request.query).split("&") if p)),
        body=_body(request.body, header(request.headers, "content-type") or ""),
    )


def _body(body: bytes, content_type: str) -> object:
    value = parse_json(body) if body else UNREADABLE
    if value is not UNREADABLE:
        return numbers_by_value(value)
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded":
        return _form(body)
    if kind.startswith("multipart/") and (found := _BOUNDARY.search(content_type)):
        boundary = (found[1] or found[2]).encode("latin-1", "replace")
        return body.replace(b"--" + boundary, b"--" + _ONE_BOUNDARY)
    return body


def _form(body: bytes) -> bytes:
    try:
        fields = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, strict_parsing=True, errors="strict"
        )
    except ValueError:
        return body
    return urlencode(sorted(fields)).encode()


def numbers_by_value(value: object) -> object:
    """1.0 is 1, as in JavaScript; strings, booleans and null stay what they are."""
    match value:
        case float() if value.is_integer():
            return int(value)
        case list():
            return [numbers_by_value(item) for item in value]
        case dict():
            return {name: numbers_by_value(item) for name, item in value.items()}
        case _:
            return value
