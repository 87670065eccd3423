"""JSON that strangers wrote: read it, or say that it cannot be read. Never raise."""

import json
from collections.abc import Iterable
from enum import Enum
from typing import Final

MAX_DEPTH = 200
"""Deeper documents are `UNREADABLE`, always: how deep Python itself can go depends
on its version and on the caller, and a match key must not. What is read may be
walked by recursion."""


class _Unreadable(Enum):
    UNREADABLE = "not JSON"


UNREADABLE: Final = _Unreadable.UNREADABLE
"""What `parse_json` returns for anything that is not JSON."""


def parse_json(data: bytes | str) -> object:
    r"""Return the value of a JSON document, or `UNREADABLE`.

    As Python reads it: the last of duplicate keys wins, NaN and infinities are
    floats (real servers write them), an escaped lone surrogate stays one.

    >>> parse_json(b'{"a": [1, null]}')
    {'a': [1, None]}
    >>> parse_json('"\\ud83d"')
    '\ud83d'
    >>> parse_json("[DONE]") is UNREADABLE
    True
    """
    try:
        value: object = json.loads(data)
    except (ValueError, RecursionError):
        return UNREADABLE
    return UNREADABLE if _brackets(data) > MAX_DEPTH and _too_deep(value) else value


def _brackets(data: bytes | str) -> int:
    """How many arrays and objects there can be: a cheap bound of the depth."""
    if isinstance(data, bytes):
        return data.count(b"[") + data.count(b"{")
    return data.count("[") + data.count("{")


def _too_deep(value: object) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for outer in level for inner in _children(outer)]
    return any(isinstance(value, dict | list) for value in level)


def _children(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
