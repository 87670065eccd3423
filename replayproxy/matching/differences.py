"""Where two requests differ: each place, as a JSON path that can be given to --ignore."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from replayproxy.matching.canonical import Canonical

ABSENT = "(absent)"
_NAME = re.compile(r"[^\W\d]\w*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A place where two requests differ.

    Attributes:
        path: `method`, `path`, `query`, `host`, `header:NAME`, `body` (not JSON), or a
            JSON path such as `$.messages[0].content`.
        asked, recorded: both values, those of a JSON body as JSON.
    """

    path: str
    asked: str
    recorded: str

    @property
    def in_json(self) -> bool:
        """Whether `--ignore` could name it."""
        return self.path.startswith("$")


def differences(asked: Canonical, recorded: Canonical) -> Iterator[Difference]:
    """Each of them, in the order of the asked document; none if the keys are equal."""
    for name in ("method", "path", "query"):
        a, b = getattr(asked, name), getattr(recorded, name)
        if a != b:
            yield Difference(path=name, asked=a, recorded=b)
    also = dict(recorded.also)
    for name, value in asked.also:
        if value != also.get(name, ""):
            yield Difference(path=name, asked=value, recorded=also.get(name, ""))
    if isinstance(asked.body, bytes) or isinstance(recorded.body, bytes):
        if asked.body != recorded.body:
            yield Difference(path="body", asked=_told(asked.body), recorded=_told(recorded.body))
        return
    yield from _within(asked.body, recorded.body, "$")


def _told(body: object) -> str:
    """A body that cannot be compared part by part."""
    if not isinstance(body, bytes):
        return "JSON"
    try:
        return json.dumps(body.decode(), ensure_ascii=False) if body else "nothing"
    except UnicodeError:
        return f"{len(body)} bytes"


def _within(a: object, b: object, path: str) -> Iterator[Difference]:
    if isinstance(a, dict) and isinstance(b, dict):
        for name in [*a, *(n for n in b if n not in a)]:
            yield from _within(a.get(name, _Absent), b.get(name, _Absent), f"{path}{_step(name)}")
    elif isinstance(a, list) and isinstance(b, list):
        for index in range(max(len(a), len(b))):
            left = a[index] if index < len(a) else _Absent
            right = b[index] if index < len(b) else _Absent
            yield from _within(left, right, f"{path}[{index}]")
    elif (type(a) is not type(b) or a != b) and (here := _shown(a)) != (there := _shown(b)):
        # as JSON: NaN is NaN, true is not 1
        yield Difference(path=path, asked=here, recorded=there)


def _step(name: str) -> str:
    return f".{name}" if _NAME.fullmatch(name) else f"[{json.dumps(name, ensure_ascii=False)}]"


class _Absent:
    """Stands for a value that one side does not have."""


def _shown(value: object) -> str:
    return ABSENT if value is _Absent else json.dumps(value, ensure_ascii=False)
