"""Which recorded exchange answers a request: the match key, and why there is none.

A match key says what is asked, not by whom: method, path, query (sorted,
without secrets) and body. A JSON body counts by value: the order of its keys
and the spelling of its numbers don't matter. Keys begin with their version.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass

from replayproxy.json_text import UNREADABLE, parse_json
from replayproxy.model import Request
from replayproxy.redaction import without_secrets

VERSION = "mk1"
ABSENT = "(absent)"


def match_key(request: Request) -> str:
    """The key that equal requests share.

    >>> a = Request(method="POST", scheme="https", host="a", port=443, path="/x",
    ...             body=b'{"n": 1, "m": 2.0}')
    >>> b = Request(method="POST", scheme="http", host="b", port=80, path="/x",
    ...             body=b'{"m":2,"n":1.0}')
    >>> match_key(a) == match_key(b)
    True
    """
    digest = hashlib.sha256()
    for part in (
        request.method.upper().encode("utf-8", "surrogateescape"),
        request.path.encode("utf-8", "surrogateescape"),
        canonical_query(request.query).encode("utf-8", "surrogateescape"),
        canonical_body(request.body),
    ):
        digest.update(len(part).to_bytes(8))
        digest.update(part)
    return f"{VERSION}:{digest.hexdigest()[:40]}"


def canonical_query(query: str) -> str:
    """Parameters sorted, secrets left out.

    >>> canonical_query("b=2&a=1&key=secret")
    'a=1&b=2'
    """
    return "&".join(sorted(p for p in without_secrets(query).split("&") if p))


def canonical_body(body: bytes) -> bytes:
    """A JSON body in one spelling; any other as it is."""
    value = parse_json(body) if body else UNREADABLE
    if value is UNREADABLE:
        return body
    return json.dumps(_numbers_by_value(value), sort_keys=True, separators=(",", ":")).encode()


def _numbers_by_value(value: object) -> object:
    """1.0 is 1, as in JavaScript; strings, booleans and null stay what they are."""
    match value:
        case float() if value.is_integer():
            return int(value)
        case list():
            return [_numbers_by_value(item) for item in value]
        case dict():
            return {name: _numbers_by_value(item) for name, item in value.items()}
        case _:
            return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The first place where two requests differ: a JSON path and both values as JSON."""

    path: str
    asked: str
    recorded: str


def first_difference(asked: Request, recorded: Request) -> Difference | None:
    """Where a request leaves a recorded one; None if they have the same match key.

    The path is `method`, `path`, `query`, `body` (not JSON) or a JSON path such
    as `$.messages[0].content`.
    """
    for name, a, b in (
        ("method", asked.method.upper(), recorded.method.upper()),
        ("path", asked.path, recorded.path),
        ("query", canonical_query(asked.query), canonical_query(recorded.query)),
    ):
        if a != b:
            return Difference(path=name, asked=a, recorded=b)
    if canonical_body(asked.body) == canonical_body(recorded.body):
        return None
    a_json, b_json = parse_json(asked.body), parse_json(recorded.body)
    if a_json is UNREADABLE or b_json is UNREADABLE:
        return Difference(
            path="body", asked=f"{len(asked.body)} bytes", recorded=f"{len(recorded.body)} bytes"
        )
    differences = _differences(_numbers_by_value(a_json), _numbers_by_value(b_json))
    path, a_leaf, b_leaf = next(differences)
    return Difference(path=path, asked=a_leaf, recorded=b_leaf)


def likeness(asked: Request, recorded: Request) -> float:
    """From 0 (nothing in common) to 1 (the same key): which recording is the closest."""
    a, b = _leaves(asked), _leaves(recorded)
    return len(a & b) / max(1, len(a | b))


def _leaves(request: Request) -> frozenset[tuple[str, str]]:
    body = parse_json(request.body)
    leaves = {("method", request.method), ("path", request.path)}
    if body is UNREADABLE:
        leaves.add(("body", request.body.decode("latin-1")))
    else:
        leaves.update(_walk(_numbers_by_value(body), "$"))
    return frozenset(leaves)


def _walk(value: object, path: str) -> Iterator[tuple[str, str]]:
    match value:
        case dict():
            for name, item in value.items():
                yield from _walk(item, f"{path}.{name}")
        case list():
            for index, item in enumerate(value):
                yield from _walk(item, f"{path}[{index}]")
        case _:
            yield path, json.dumps(value)


def _differences(a: object, b: object, path: str = "$") -> Iterator[tuple[str, str, str]]:
    """Yield (path, value here, value there) in the order of the asked document."""
    if isinstance(a, dict) and isinstance(b, dict):
        for name in [*a, *(n for n in b if n not in a)]:
            yield from _differences(a.get(name, _Absent), b.get(name, _Absent), f"{path}.{name}")
    elif isinstance(a, list) and isinstance(b, list):
        for index in range(max(len(a), len(b))):
            left = a[index] if index < len(a) else _Absent
            right = b[index] if index < len(b) else _Absent
            yield from _differences(left, right, f"{path}[{index}]")
    elif (here := _shown(a)) != (there := _shown(b)):  # as JSON: NaN is NaN, true is not 1
        yield path, here, there


class _Absent:
    """Stands for a value that one side does not have."""


def _shown(value: object) -> str:
    return ABSENT if value is _Absent else json.dumps(value, ensure_ascii=False)
