"""The structure of JSON apart from its values: which members there are, and their types.

Lists are taken as sets of what they hold: elements are merged, but for those
that name their `type` (content blocks, output items), which are merged by it.
What a model makes up (the arguments of a tool call) and what the caller
handed in (`metadata`) has no structure that the API would promise.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

_FREE_FORM = frozenset({"args", "arguments", "input", "metadata"})
_LABEL = re.compile(r"[\w.-]{1,60}", re.ASCII)
_NAME = re.compile(r"[^\W\d]\w*")

type Change = Literal["gone", "new", "changed"]


@dataclass(slots=True)
class Shape:
    """What was seen at one place, in any number of documents.

    >>> shape = shape_of([{"id": "a", "usage": None}, {"id": "b", "usage": {"total": 3}}])
    >>> sorted(shape.members[".usage"].types)
    ['null', 'object']
    """

    types: set[str] = field(default_factory=set)
    members: dict[str, "Shape"] = field(default_factory=dict)
    """By their step: `.name`, or that of an element: `[]`, `[type=text]`."""

    def add(self, value: object) -> None:
        """Take one more value; at most as deep as `json_text` reads."""
        self.types.add(_type(value))
        for step, child in _children(value):
            member = self.members.setdefault(step, Shape())
            if step[1:] in _FREE_FORM:
                member.types.add(_type(child))
            else:
                member.add(child)

    @property
    def has_elements(self) -> bool:
        """Whether it was a list that was not always empty."""
        return any(step.startswith("[") for step in self.members)


def shape_of(documents: Iterable[object]) -> Shape:
    """The common structure of some documents."""
    shape = Shape()
    for document in documents:
        shape.add(document)
    return shape


def changes(recorded: Shape, live: Shape, path: str = "$") -> Iterator[tuple[Change, str, str]]:
    """What differs: how, where, and the types. Null and an empty list say nothing.

    >>> list(changes(shape_of([{"n": 1, "m": {"a": 1}}]), shape_of([{"n": "1", "x": []}])))
    [('changed', '$.n', 'number -> string'), ('gone', '$.m', 'object'), ('new', '$.x', 'array')]
    """
    before, now = recorded.types - {"null"}, live.types - {"null"}
    if before and now - before:
        yield "changed", path, f"{_told(before)} -> {_told(now)}"
    for step, member in recorded.members.items():
        if step in live.members:
            yield from changes(member, live.members[step], path + step)
        elif _could_have(live, step):
            yield "gone", path + step, _told(member.types)
    for step, member in live.members.items():
        if step not in recorded.members and _could_have(recorded, step):
            yield "new", path + step, _told(member.types)


def _could_have(shape: Shape, step: str) -> bool:
    """Whether this place was there in such a form that a member's absence says something."""
    return shape.has_elements if step.startswith("[") else "object" in shape.types


def _children(value: object) -> Iterable[tuple[str, object]]:
    if isinstance(value, dict):
        for name, child in value.items():
            yield f".{name}" if _NAME.fullmatch(name) else f".{name!r}", child
    elif isinstance(value, list):
        for child in value:
            yield _label(child), child


def _label(element: object) -> str:
    kind = element.get("type") if isinstance(element, dict) else None
    return f"[type={kind}]" if isinstance(kind, str) and _LABEL.fullmatch(kind) else "[]"


def _type(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


def _told(types: set[str]) -> str:
    return " or ".join(sorted(types))
