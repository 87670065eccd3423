r"""The events of a stream, one an item, so that what differs between them can be seen.

Most events of a stream share all but a word: `data: {"id":"c1",...,"content":"Hi"}`. What
they share is written once, as a template with a hole (`‹›`) where each has its own text:

    templates:
      a: 'data: {"id":"c1","choices":[{"delta":{"content":"‹›"}}]}'
    events:
    - a: Hi
    - a: ' there'
    - 'data: [DONE]'

Rule: it is text in, text out. What fills a hole stands there as it was on the wire, JSON
escapes and all, and each item ends with a blank line, unless `unterminated` says of the last
that it does not.
"""

import base64
import binascii
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

HOLE = "‹›"
BASE64 = "base64"
"""The key of an item that is not UTF-8."""

_TOKEN = re.compile(
    r'"(?P<text>(?:[^"\\]++|\\.)*+)"(?P<colon>\s*+:)?'
    r"|(?<=[:\[,])(?P<number>-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)"
)
"""A JSON string, and the colon if it is the name of a field; or a number."""
_NAMES = "abcdefghijklmopqrstuvwxz"  # y and n mean something else in some YAML


class NotEventsError(Exception):
    """What stands in the file are no events. The message says why."""


def split(body: bytes) -> tuple[list[bytes], bytes, bool]:
    r"""The events without their blank lines, that line, and whether the last one has none.

    >>> split(b"data: 1\n\ndata: 2")
    ([b'data: 1', b'data: 2'], b'\n\n', True)
    """
    separator = b"\r\n\r\n" if b"\r\n\r\n" in body else b"\n\n"
    pieces = body.split(separator)
    if pieces[-1]:
        return pieces, separator, True
    return pieces[:-1], separator, False


def render(body: bytes) -> dict[str, Any]:
    r"""A body as what stands in the file.

    >>> render(b'data: {"t":"a"}\n\ndata: {"t":"b"}\n\n: end\n\n')["events"]
    [{'a': 'a'}, {'a': 'b'}, ': end']
    """
    pieces, separator, unterminated = split(body)
    texts = [_text(piece) for piece in pieces]
    templates = _templates([text for text in texts if text is not None])
    data: dict[str, Any] = {}
    if templates:
        data["templates"] = {template.name: template.text for template in templates.values()}
    data["events"] = [
        _item(piece, text, templates) for piece, text in zip(pieces, texts, strict=True)
    ]
    if separator != b"\n\n":
        data["separator"] = separator.decode()
    if unterminated:
        data["unterminated"] = True
    return data


def parse(data: dict[str, Any]) -> tuple[list[bytes], bytes, bool]:
    """The same as `split` gives, of what stands in the file.

    Raises:
        NotEventsError: it makes no sense.
    """
    items, templates = data.get("events"), data.get("templates") or {}
    separator = data.get("separator", "\n\n")
    if not isinstance(items, list) or not isinstance(templates, dict):
        raise NotEventsError("`events` must be a list, `templates` a mapping")
    if not isinstance(separator, str) or not separator:
        raise NotEventsError("`separator` must be text")
    cut = {name: _holes(name, text) for name, text in templates.items()}
    pieces = [_piece(item, cut) for item in items]
    return pieces, separator.encode(), bool(data.get("unterminated"))


def joined(pieces: Iterable[bytes], separator: bytes, unterminated: bool) -> Iterator[bytes]:
    """Each event as it stands on the wire."""
    pieces = list(pieces)
    yield from (piece + separator for piece in pieces[:-1])
    yield from (piece + (b"" if unterminated else separator) for piece in pieces[-1:])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Template:
    """What some events share; `varying` says which of their values differ."""

    name: str
    text: str
    varying: tuple[int, ...]


def _text(piece: bytes) -> str | None:
    try:
        return piece.decode()
    except UnicodeDecodeError:
        return None


def _shape(text: str) -> tuple[str, list[str]]:
    """The text with a hole for every value, and the values."""
    values: list[str] = []

    def hole(found: re.Match[str]) -> str:
        if found["colon"]:
            return found[0]
        is_number = found["number"] is not None
        values.append(found["number"] if is_number else found["text"])
        return HOLE if is_number else f'"{HOLE}"'

    return _TOKEN.sub(hole, text), values


def _templates(texts: list[str]) -> dict[str, _Template]:
    """Of each shape that pays: several events have it, and it has values."""
    groups: defaultdict[str, list[list[str]]] = defaultdict(list)
    for text in texts:
        if HOLE not in text:
            shape, values = _shape(text)
            groups[shape].append(values)
    names = _names()
    found: dict[str, _Template] = {}
    for shape, members in groups.items():
        if len(members) < 2 or not members[0]:
            continue
        columns = list(zip(*members, strict=True))
        varying = tuple(i for i, column in enumerate(columns) if len(set(column)) > 1)
        parts = shape.split(HOLE)
        text = parts[0]
        for index, part in enumerate(parts[1:]):
            text += (HOLE if index in varying else members[0][index]) + part
        found[shape] = _Template(name=next(names), text=text, varying=varying)
    return found


def _names() -> Iterator[str]:
    yield from _NAMES
    yield from (f"{letter}{number}" for number in count(2) for letter in _NAMES)


def _item(piece: bytes, text: str | None, templates: dict[str, _Template]) -> Any:
    if text is None:
        return {BASE64: base64.b64encode(piece).decode()}
    if HOLE in text:
        return text
    shape, values = _shape(text)
    template = templates.get(shape)
    if template is None:
        return text
    filled = [values[index] for index in template.varying]
    return {template.name: filled[0] if len(filled) == 1 else filled}


def _holes(name: str, text: Any) -> list[str]:
    if not isinstance(text, str):
        raise NotEventsError(f"template {name!r} must be text")
    return text.split(HOLE)


def _piece(item: Any, templates: dict[str, list[str]]) -> bytes:
    if isinstance(item, str):
        return item.encode()
    if not isinstance(item, dict) or len(item) != 1:
        raise NotEventsError(f"the event {item!r} must be text, or one template with its text")
    ((name, filled),) = item.items()
    if name == BASE64:
        return from_base64(filled)
    if name not in templates:
        raise NotEventsError(f"there is no template {name!r}")
    parts = templates[name]
    values = filled if isinstance(filled, list) else [filled]
    if len(values) != len(parts) - 1:
        raise NotEventsError(f"template {name!r} has {len(parts) - 1} holes, not {len(values)}")
    texts = [value if isinstance(value, str) else _as_written(value) for value in values]
    return "".join(a + b for a, b in zip(parts, [*texts, ""], strict=True)).encode()


def _as_written(value: Any) -> str:
    match value:
        case bool() | int():
            return str(value).lower()
        case None:
            return ""
        case _:
            raise NotEventsError(f"put quotes around {value!r}: in a hole goes text")


def from_base64(text: Any) -> bytes:
    """The bytes that a text of one or more lines stands for.

    Raises:
        NotEventsError: it is not base64.
    """
    try:
        return base64.b64decode("".join(str(text).split()), validate=True)
    except (ValueError, binascii.Error) as error:
        raise NotEventsError(f"base64 cannot be read: {error}") from error
