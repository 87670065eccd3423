"""Two texts, word by word: what they share, what only one of them has."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

type Kind = Literal["same", "removed", "added"]

MAX_WORDS = 2_000
"""Of longer texts, lines are compared."""

MAX_LINES = 2_000
"""Of still longer ones only their common beginning and end are found."""

_WORD = re.compile(r"\w+\s*|[^\w\s]\s*|\s+")
_POPULAR = 1000
"""From so many words on, those that are everywhere (`the`) are no place to start from."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of text that both have, or one of them."""

    kind: Kind
    text: str


def word_diff(before: str, after: str) -> list[Piece]:
    """The pieces of both texts in order; without the removed ones they are `after`.

    >>> [(piece.kind, piece.text) for piece in word_diff("a red cat", "a black cat")]
    [('same', 'a '), ('removed', 'red '), ('added', 'black '), ('same', 'cat')]
    """
    a, b = _WORD.findall(before), _WORD.findall(after)
    if max(len(a), len(b)) > MAX_WORDS:
        a, b = before.splitlines(keepends=True), after.splitlines(keepends=True)
    start = _common(a, b)
    end = _common(a[start:][::-1], b[start:][::-1])
    pieces = [Piece("same", "".join(a[:start]))]
    pieces += _between(a[start : len(a) - end], b[start : len(b) - end])
    pieces.append(Piece("same", "".join(a[len(a) - end :])))
    return [piece for piece in pieces if piece.text]


def _between(a: Sequence[str], b: Sequence[str]) -> list[Piece]:
    if max(len(a), len(b)) > MAX_LINES:
        return [Piece("removed", "".join(a)), Piece("added", "".join(b))]
    found = []
    matcher = SequenceMatcher(None, a, b, autojunk=len(b) > _POPULAR)
    for kind, i, j, k, n in matcher.get_opcodes():
        if kind == "equal":
            found.append(Piece("same", "".join(a[i:j])))
        else:
            found += [Piece("removed", "".join(a[i:j])), Piece("added", "".join(b[k:n]))]
    return found


def _common(a: Sequence[str], b: Sequence[str]) -> int:
    for index, (one, other) in enumerate(zip(a, b, strict=False)):
        if one != other:
            return index
    return min(len(a), len(b))
