"""What a user types, as an FTS5 expression. Nothing that is typed is an error.

Words must all be there; "words in quotes" one after the other; a word* is a beginning;
a -word must not be there.
"""

import re
from dataclasses import dataclass

_TERM = re.compile(r'(-?)(?:"([^"]*)("?)|([^\s"]+))(\*?)')
MAX_TERMS = 40
MAX_CHARS = 1_000


@dataclass(frozen=True, slots=True)
class Query:
    """An FTS5 expression; empty if there is nothing to look for."""

    expression: str

    def __bool__(self) -> bool:
        return bool(self.expression)


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
            (unwanted if minus else wanted).append(f'"{text}"{star}')
    if not wanted:
        return Query("")
    all_of = " AND ".join(wanted)
    if not unwanted:
        return Query(all_of)
    return Query(f"({all_of}) NOT {_any_of(unwanted)}")


def _any_of(terms: list[str]) -> str:
    return terms[0] if len(terms) == 1 else f"({' OR '.join(terms)})"
