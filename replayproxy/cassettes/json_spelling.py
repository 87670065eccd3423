r"""How a JSON text is spelled, so that its value is enough to write the same bytes again.

A spelling is a few words: `compact` (as JavaScript and most SDKs write), `spaced`
(as Python does), `indent-2` or `indent-4`; then, where it applies, `ascii` (`\u00e9`),
`html` (`\u003c`, as Go does) and `newline` (at the end).
"""

import json
from collections.abc import Iterator
from itertools import product
from typing import Any

from replayproxy.json_text import UNREADABLE, parse_json

USUAL = "compact"

_LAYOUTS: dict[str, dict[str, Any]] = {
    "compact": {"separators": (",", ":")},
    "spaced": {},
    "indent-2": {"indent": 2},
    "indent-4": {"indent": 4},
}
_HTML = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}


class UnknownSpellingError(Exception):
    """The words are no spelling."""


def spelling(data: bytes) -> tuple[Any, str] | None:
    r"""The value and the spelling of a JSON object or array; None if there is no such spelling.

    >>> spelling(b'{"a": "\\u00e9"}')
    ({'a': 'é'}, 'spaced ascii')
    >>> spelling(b'{"a" :1}') is None
    True
    """
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    value = parse_json(text)
    if value is UNREADABLE or not isinstance(value, dict | list):
        return None
    for words in _candidates(text):
        try:
            if spelled(value, words) == data:
                return value, words
        except (ValueError, RecursionError):  # not a number, half a surrogate pair
            return None
    return None


def spelled(value: object, words: str) -> bytes:
    """The bytes of a value in this spelling.

    Raises:
        UnknownSpellingError: the words are none.
        ValueError: the value has no such spelling.
    """
    layout, *marks = words.split() or [""]
    if layout not in _LAYOUTS or not set(marks) <= {"ascii", "html", "newline"}:
        raise UnknownSpellingError(
            f"{words!r} is no spelling. Use {', '.join(_LAYOUTS)}; then, if need be, "
            "ascii, html, newline."
        )
    options = _LAYOUTS[layout]
    text = json.dumps(value, ensure_ascii="ascii" in marks, allow_nan=False, **options)
    if "html" in marks:
        text = text.translate(_HTML)
    return (text + "\n" * ("newline" in marks)).encode()


def _candidates(text: str) -> Iterator[str]:
    """The likeliest first; most are told from the first look."""
    newline = " newline" * text.endswith("\n")
    layouts: list[str] = []
    match text[1:2]:
        case "\n":
            layouts = ["indent-4" if text[2:6] == "    " else "indent-2"]
        case _:
            layouts = ["compact", "spaced"]
    marks = ("", " ascii", " html") if "\\u" in text else ("",)
    yield from (layout + mark + newline for layout, mark in product(layouts, marks))
