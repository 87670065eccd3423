"""A body as people can read it: JSON by its value, streams by their events, else text.

What stands in the file is one of `json` (with a `spelling`, if it is not the usual one),
`events`, `text` and `base64`; and `wire`, if the body has a content-encoding.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from replayproxy.cassettes import compressed, events, json_spelling
from replayproxy.model import Headers, header

KEYS = frozenset({"json", "events", "text", "base64"})
"""Each says what a body is; there can be one."""
MORE_KEYS = frozenset({"spelling", "templates", "separator", "unterminated", "wire"})

_MAX_JSON_DEPTH = 40


class NotBodyError(Exception):
    """What stands in the file is no body. The message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """The wire bytes, in units that timing refers to.

    Attributes:
        exact: False of one that was compressed anew, to other bytes of the same content.
    """

    units: tuple[bytes, ...] = ()
    exact: bool = True

    @property
    def data(self) -> bytes:
        """All of it."""
        return b"".join(self.units)


def render(data: bytes, headers: Headers) -> dict[str, Any]:
    """What stands in the file."""
    if not data:
        return {}
    coding = _coding(headers)
    if coding is None:
        return _shown(data, headers)
    plain = compressed.decoded(data, coding)
    if not plain:
        return {"wire": {events.BASE64: _lines(data)}}
    return {**_shown(plain, headers), "wire": compressed.render(data, plain, coding)}


def parse(found: dict[str, Any], headers: Headers) -> Body:
    """The body of a message.

    Raises:
        NotBodyError: it makes no sense.
    """
    kinds = KEYS & found.keys()
    if len(kinds) > 1:
        raise NotBodyError(f"there are {' and '.join(sorted(kinds))}: a body is one of them")
    try:
        units = _units(found, next(iter(kinds), ""))
        coding = _coding(headers)
        if coding is None:
            return Body(units=units)
        return _as_sent(b"".join(units), found.get("wire"), coding)
    except (
        events.NotEventsError,
        json_spelling.UnknownSpellingError,
        compressed.NotCompressedError,
        ValueError,  # text or numbers that UTF-8 and JSON don't have
    ) as error:
        raise NotBodyError(str(error)) from error


def units_of(data: bytes, headers: Headers) -> Sequence[bytes]:
    """The units of a body that `render` is given."""
    if _coding(headers) is None and _is_stream(headers):
        return tuple(events.joined(*events.split(data)))
    return (data,) if data else ()


def _shown(plain: bytes, headers: Headers) -> dict[str, Any]:
    if _is_stream(headers):
        return events.render(plain)
    if (found := json_spelling.spelling(plain)) and not _is_deep(found[0]):
        value, words = found
        return (
            {"json": value} if words == json_spelling.USUAL else {"spelling": words, "json": value}
        )
    try:
        return {"text": plain.decode()}
    except UnicodeDecodeError:
        return {"base64": _lines(plain)}


def _units(found: dict[str, Any], kind: str) -> tuple[bytes, ...]:
    data = b""
    match kind:
        case "events":
            return tuple(events.joined(*events.parse(found)))
        case "json":
            words = found.get("spelling", json_spelling.USUAL)
            data = json_spelling.spelled(found["json"], str(words))
        case "text":
            data = str(found["text"]).encode()
        case "base64":
            data = events.from_base64(found["base64"])
    return (data,) if data else ()


def _as_sent(plain: bytes, wire: Any, coding: str) -> Body:
    if not plain:
        raw = wire.get(events.BASE64) if isinstance(wire, dict) else None
        data, exact = (b"" if raw is None else events.from_base64(raw)), True
    else:
        restored = compressed.restore(plain, wire, coding)
        data, exact = restored.body, restored.exact
    return Body(units=(data,) if data else (), exact=exact)


def _coding(headers: Headers) -> str | None:
    coding = (header(headers, "content-encoding") or "").strip().lower()
    return None if coding in {"", "identity"} else coding


def _is_stream(headers: Headers) -> bool:
    kind = (header(headers, "content-type") or "").partition(";")[0].strip().lower()
    return kind == "text/event-stream"


def _lines(data: bytes) -> str:
    """Base64 in lines of 76."""
    return base64.encodebytes(data).decode()


def _is_deep(value: object) -> bool:
    level = [value]
    for _ in range(_MAX_JSON_DEPTH):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)  # type: ignore[attr-defined]
            if isinstance(inner, dict | list)
        ]
    return bool(level)
