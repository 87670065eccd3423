"""YAML as nothing but data: what a stranger wrote can be read without harm.

Rule: mappings with text keys, lists, text, numbers, booleans and null; plain words
mean what they do in YAML 1.2 (`no` and `2026-01-01` are text). No tags, no anchors,
no aliases, one document, no key twice, and limits on size and depth. Cassettes of VCR.py need
`lenient`: bytes (`!!binary`), and aliases, which are never copied.
"""

import base64
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

MAX_CHARACTERS = 64 * 1024 * 1024
MAX_DEPTH = 64

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in C where PyYAML was built so

_NUMBER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)(?P<fraction>\.[0-9]+)?(?P<exponent>[eE][-+]?[0-9]+)?")
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
# A literal block would lose these, or end its lines at them.
_NOT_IN_A_BLOCK = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


_TEXT_TAGS = frozenset(
    f"tag:yaml.org,2002:{name}" for name in ("str", "python/unicode", "python/str")
)
_BINARY_TAG = "tag:yaml.org,2002:binary"


class NotDataError(Exception):
    """The text is not YAML, or more than data. The message says what, and on which line."""


def parse(text: str, *, lenient: bool = False) -> object:
    r"""The value of a document.

    >>> parse("a: [1, 2.5, no]\nb: |\n  two\n  lines\n")
    {'a': [1, 2.5, 'no'], 'b': 'two\nlines\n'}

    Raises:
        NotDataError: it is not what the rule of this file allows.
    """
    if len(text) > MAX_CHARACTERS:
        raise NotDataError(f"it has more than {MAX_CHARACTERS:,} characters")
    try:
        return _value(yaml.parse(text, Loader=_LOADER), lenient=lenient)
    except yaml.YAMLError as error:
        raise NotDataError(f"it is not YAML: {' '.join(str(error).split())}") from error


@dataclass(slots=True)
class _Level:
    """A mapping or a list that is being filled."""

    container: Any
    key: str | None = None
    keys: set[str] = field(default_factory=set)

    def put(self, value: object, event: yaml.Event) -> None:
        if isinstance(self.container, list):
            self.container.append(value)
        elif self.key is not None:
            self.container[self.key] = value
            self.key = None
        elif not isinstance(event, yaml.ScalarEvent):
            raise _refused("a key that is not text", event)
        elif event.value in self.keys:
            raise _refused(f"the key {event.value!r} twice", event)
        else:
            self.key = event.value
            self.keys.add(event.value)


def _value(events: Iterator[Any], *, lenient: bool) -> object:
    """Without recursion: depth costs nothing but the limit."""
    top: list[object] = []
    levels = [_Level(top)]
    anchors: dict[str, object] = {}
    documents = 0
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise _refused("a second document", event)
        elif isinstance(event, yaml.CollectionEndEvent):
            levels.pop()
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in anchors:
                raise _refused("an alias", event)
            levels[-1].put(anchors[event.anchor], event)
        elif isinstance(event, yaml.NodeEvent):
            value = _node(event, lenient=lenient)
            levels[-1].put(value, event)
            if event.anchor is not None:
                anchors[event.anchor] = value
            if isinstance(event, yaml.CollectionStartEvent):
                levels.append(_Level(value))
                if len(levels) > MAX_DEPTH:
                    raise _refused(f"more than {MAX_DEPTH} levels", event)
    return top[0] if top else None


def _node(event: Any, *, lenient: bool) -> object:
    if event.anchor is not None and not lenient:
        raise _refused("an anchor", event)
    tag = event.tag
    if isinstance(event, yaml.ScalarEvent) and lenient and tag in {_BINARY_TAG, *_TEXT_TAGS}:
        return _bytes(event) if tag == _BINARY_TAG else event.value
    if tag is not None:
        raise _refused("a tag", event)
    if isinstance(event, yaml.ScalarEvent):
        return _scalar(event)
    return {} if isinstance(event, yaml.MappingStartEvent) else []


def _bytes(event: yaml.ScalarEvent) -> bytes:
    try:
        return base64.b64decode("".join(event.value.split()), validate=True)
    except ValueError as error:
        raise _refused("bytes that are not base64", event) from error


def _scalar(event: yaml.ScalarEvent) -> object:
    text: str = event.value
    if event.style:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if found := _NUMBER.fullmatch(text):
        try:
            if not found["fraction"] and not found["exponent"]:
                return int(text)
            number = float(text)
        except ValueError as error:  # Python has a limit on digits
            raise _refused("a number that is too long", event) from error
        if math.isfinite(number):
            return number
    return text


def _refused(what: str, event: yaml.Event) -> NotDataError:
    line = event.start_mark.line + 1 if event.start_mark else "?"
    return NotDataError(f"line {line} has {what}, which a cassette cannot have")


class _Dumper(yaml.SafeDumper):
    """Text of several lines as blocks, lists of numbers on one line, no aliases."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    style = '"' if _NOT_IN_A_BLOCK.search(text) else "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _list(dumper: yaml.SafeDumper, items: list[Any]) -> yaml.Node:
    numbers = bool(items) and all(type(item) in {int, float} for item in items)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=numbers or None)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(list, _list)
# Text such as `1e5` is a number to us, but not to YAML 1.1, by which PyYAML quotes.
_Dumper.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(rf"(?:{_NUMBER.pattern})\Z"), list("-+0123456789")
)


def render(value: object) -> str:
    r"""The value as a document that `parse` reads.

    >>> print(render({"say": "no", "count": 3, "lines": "a\nb\n"}), end="")
    say: 'no'
    count: 3
    lines: |
      a
      b
    """
    text: str = yaml.dump(
        value,
        Dumper=_Dumper,
        allow_unicode=True,
        default_flow_style=False,
        sort_keys=False,
        width=math.inf,
    )
    return text
