"""What a user types, as an FTS5 expression. Nothing that is typed is an error.

Words must all be there; "words in quotes" one after the other; a word* is a beginning;
a -word must not be there.
"""

import re
from dataclasses import dataclass

APART = "\u200b"
"""Stands around each letter of a script that writes no spaces: to FTS5 it is a word then."""

_WITHOUT_SPACES = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]"
)
_TERM = re.compile(r'(-?)(?:"([^"]*)("?)|([^\s"]+))(\*?)')
MAX_TERMS = 40
MAX_CHARS = 1_000


@dataclass(frozen=True, slots=True)
class Query:
    """An FTS5 expression; empty if there is nothing to look for."""

    expression: str

    def __bool__(self) -> bool:
        return bool(self.expression)


def spaced(text: str) -> str:
    r"""The text as it is indexed: also in scripts without spaces parts of it are found.

    >>> spaced("in \u6771\u4eac!")
    'in \u200b\u6771\u200b\u200b\u4eac\u200b!'
    """
    return text if text.isascii() else _WITHOUT_SPACES.sub(rf"{APART}\g<0>{APART}", text)


def parse(typed: str) -> Query:
    """Read what was typed.

    >>> parse('rain "in Lisbon" tomor* -snow').expression
    '("rain" AND "in Lisbon" AND "tomor"*) NOT "snow"'
    >>> parse('get_weather("x' ).expression, bool(parse('"" -snow *:'))
    ('"get_weather(" AND "x"', False)
    """
    wanted: list[str] = []
    unwanted: list[str] = []
    for minus, phrase, _, word, star in _TERM.findall(typed[:MAX_CHARS])[:MAX_TERMS]:
        text = phrase or word
        if word.endswith("*"):
            text, star = word.rstrip("*"), "*"
        # FTS5 has no way to write NUL; a term without a letter or digit has no token
        text = text.replace("\0", " ")
        if any(c.isalnum() for c in text):
            (unwanted if minus else wanted).append(f'"{spaced(text)}"{star}')
    if not wanted:
        return Query("")
    all_of = " AND ".join(wanted)
    if not unwanted:
        return Query(all_of)
    return Query(f"({all_of}) NOT {_any_of(unwanted)}")


def _any_of(terms: list[str]) -> str:
    return terms[0] if len(terms) == 1 else f"({' OR '.join(terms)})"
