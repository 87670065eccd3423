"""Matching that is more, or less, than exact: what the user asked for, and no more.

Rule: exact is the default. What a rule makes equal can be told afterwards: it is
what still differs between the two requests (see `differences`).
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from replayproxy.errors import UsageError
from replayproxy.matching.canonical import Canonical
from replayproxy.model import Request, header

_HEADER = "header:"

PATTERNS = {
    "uuid": (r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b", "<uuid>"),
    "date": (
        r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?",
        "<date>",
    ),
    "tmp": (
        r"(?:/private)?/(?:tmp|var/tmp|var/folders)/[^\s\"'`<>|:;,()\[\]{}]+",
        "<tmp>",
    ),
}
"""Named patterns of `--normalize`: what they find, and what stands for it."""


@dataclass(frozen=True, kw_only=True)
class MatchRules:
    """What makes two requests the same, besides or instead of being equal.

    Attributes:
        ignore: JSON paths (RFC 9535) into the body; what they find does not count.
        normalize: (regular expression, replacement) for the text of the path, the
            query and the body's strings.
        on: what counts, too: `host`, or `header:NAME`.

    Raises:
        UsageError: one of them makes no sense.
    """

    ignore: tuple[str, ...] = ()
    normalize: tuple[tuple[str, str], ...] = ()
    on: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _ = self._removers, self._patterns
        for what in self.on:
            if what != "host" and not what.removeprefix(_HEADER).strip():
                raise UsageError(f"--match-on {what!r}: name a header, such as header:x-tenant.")
            if what != "host" and not what.startswith(_HEADER):
                raise UsageError(f"--match-on {what!r} is neither host nor header:NAME.")

    def __bool__(self) -> bool:
        return bool(self.ignore or self.normalize or self.on)

    @cached_property
    def name(self) -> str:
        """Eight hexadecimal digits, the same for the same rules in any order."""
        return hashlib.sha256(self.as_json().encode()).hexdigest()[:8]

    def as_json(self) -> str:
        """The rules as one line; those of `normalize` keep their order, for it matters."""
        rules = {
            "ignore": sorted(set(self.ignore)),
            "normalize": self.normalize,
            "on": sorted({what.lower() for what in self.on}),
        }
        return json.dumps({name: value for name, value in rules.items() if value})

    @classmethod
    def from_json(cls, text: str) -> "MatchRules":
        """What `as_json` gave."""
        rules = json.loads(text)
        return cls(
            ignore=tuple(rules.get("ignore", ())),
            normalize=tuple((find, text) for find, text in rules.get("normalize", ())),
            on=tuple(rules.get("on", ())),
        )

    @property
    def strict(self) -> "MatchRules":
        """Only what makes more count: requests equal by these need no leniency."""
        return replace(self, ignore=(), normalize=())

    @property
    def reads_headers(self) -> bool:
        """Whether the headers of a request matter."""
        return any(what.startswith(_HEADER) for what in self.on)

    def applied(self, asked: Canonical, request: Request) -> Canonical:
        """What counts by these rules; `request` is what it was made of."""
        if not self:
            return asked
        body = asked.body
        if not isinstance(body, bytes) and self._removers:
            body = deepcopy(body)
            for remove in self._removers:
                body = remove(body)
        return replace(
            asked,
            path=self._normalized(asked.path),
            query=self._normalized(asked.query),
            body=self._normalized_body(body),
            also=tuple(_counted(what.lower(), request) for what in sorted(set(self.on))),
        )

    @cached_property
    def _removers(self) -> tuple[Callable[[Any], Any], ...]:
        return tuple(_remover(path) for path in self.ignore)

    @cached_property
    def _patterns(self) -> tuple[tuple[re.Pattern[str], str], ...]:
        return tuple(_compiled(find, text) for find, text in self.normalize)

    def _normalized(self, text: str) -> str:
        for pattern, replacement in self._patterns:
            text = pattern.sub(replacement, text)
        return text

    def _normalized_body(self, body: object) -> object:
        if not self._patterns:
            return body
        match body:
            case str():
                return self._normalized(body)
            case bytes():
                try:
                    return self._normalized(body.decode()).encode()
                except UnicodeError:
                    return body  # binary: what looks like text in it is chance
            case list():
                return [self._normalized_body(item) for item in body]
            case dict():
                return {name: self._normalized_body(item) for name, item in body.items()}
            case _:
                return body


EXACT = MatchRules()


def parse_normalize(text: str) -> tuple[str, str]:
    r"""`REGEX=TEXT`, split at its last `=`, or the name of a pattern.

    >>> parse_normalize(r"build-\d+=build-N")
    ('build-\\d+', 'build-N')
    >>> parse_normalize("uuid")[1]
    '<uuid>'

    Raises:
        UsageError: it is neither.
    """
    if text in PATTERNS:
        return PATTERNS[text]
    find, equals, replacement = text.rpartition("=")
    if not equals or not find:
        names = ", ".join(PATTERNS)
        raise UsageError(f"--normalize {text!r} is neither REGEX=TEXT nor one of: {names}.")
    return find, replacement


def _compiled(find: str, replacement: str) -> tuple[re.Pattern[str], str]:
    try:
        pattern = re.compile(find)
        re.compile(f"(?:{find})|").sub(replacement, "")  # is it a replacement, too?
    except (re.error, IndexError) as error:
        raise UsageError(
            f"--normalize {find}={replacement}: not a regular expression: {error}"
        ) from error
    return pattern, replacement


def _counted(what: str, request: Request) -> tuple[str, str]:
    if what == "host":
        return what, request.host
    return what, header(request.headers, what.removeprefix(_HEADER)) or ""


def _remover(path: str) -> Callable[[Any], Any]:
    """A function that takes what a JSON path finds out of a value of its own.

    Raises:
        UsageError: it is not a JSON path.
    """
    import jsonpath

    try:
        query = jsonpath.compile(path, strict=True) if path.startswith("$") else None
    except jsonpath.JSONPathError as error:
        raise _not_a_path(path, str(error).partition("\n")[0]) from error
    if query is None:
        raise _not_a_path(path, "it does not begin with $")

    def remove(value: Any) -> Any:
        places = [tuple(found.parts) for found in query.finditer(value)]
        # the last first: what is taken out of a list moves what comes after it
        for parts in sorted(places, key=_order, reverse=True):
            if not parts:
                return None
            _take_out(value, parts)
        return value

    return remove


def _not_a_path(path: str, reason: str) -> UsageError:
    return UsageError(
        f"--ignore {path!r} is not a JSON path: {reason}. "
        "Write it as in $.metadata.request_id or $.messages[*].id"
    )


def _order(parts: Iterable[str | int]) -> list[tuple[int, int, str]]:
    return [(0, part, "") if isinstance(part, int) else (1, 0, part) for part in parts]


def _take_out(value: Any, parts: tuple[str | int, ...]) -> None:
    *way, last = parts
    for part in way:
        try:
            value = value[part]
        except (KeyError, IndexError):
            return  # a place inside one that is gone
    if isinstance(value, dict):
        value.pop(last, None)
    elif isinstance(last, int) and last < len(value):
        del value[last]
