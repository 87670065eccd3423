"""Typed access to JSON nobody vouches for.

Each function takes any value and gives the type it is named after, or what
stands for "not said": None, or an empty object or list.
"""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

type Json = Mapping[str, Any]

MAX_COUNT = 2**53
"""Counts above this cannot be exact in the JSON of most languages, and are nonsense."""


def as_object(value: object) -> Json:
    """A JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> Sequence[Any]:
    """A JSON array, else an empty one."""
    return value if isinstance(value, list) else ()


def as_text(value: object) -> str | None:
    """A string that says something, well-formed, else None."""
    return well_formed(value) if isinstance(value, str) and value else None


def as_count(value: object) -> int | None:
    """An integer from 0 to `MAX_COUNT`, else None: no bool, no float, no digits in a string.

    >>> as_count(7), as_count(True), as_count(7.0), as_count("7"), as_count(-7)
    (7, None, None, None, None)
    """
    return value if type(value) is int and 0 <= value <= MAX_COUNT else None


def as_usd(value: object) -> Decimal | None:
    """A finite amount that is not negative, with the digits it was written with.

    >>> as_usd(0.1), as_usd(float("nan")), as_usd("0.1")
    (Decimal('0.1'), None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return Decimal(str(value)) if 0 <= value <= MAX_COUNT else None


def as_arguments(value: object) -> str:
    """The arguments of a tool call as text: a string as it is, an object as compact JSON."""
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return value if isinstance(value, str) else ""


def well_formed(text: str) -> str:
    r"""Text that can be encoded: split surrogate pairs joined, lone ones made U+FFFD.

    >>> well_formed("\ud83d" + "\ude00 \ud83d") == "\U0001f600 \ufffd"
    True
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def error_message(body: object) -> str | None:
    """What went wrong, if the body says so: `{"error": {"message": ...}}` or `{"error": "..."}`.

    >>> error_message({"error": {"message": "slow down", "code": 429}})
    'slow down'
    >>> error_message({"error": {"code": 502}})
    '{"code":502}'
    """
    error = as_object(body).get("error")
    if not error:
        return None
    return as_text(as_object(error).get("message")) or as_text(as_arguments(error))


def error_of_event(body: object, data: str) -> str:
    """The same for an event that is called an error, whose data may have any shape."""
    message = error_message(body) or as_text(as_object(body).get("message"))
    return message or as_text(data) or "error"
