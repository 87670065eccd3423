"""Search over prompts and answers: what the URL asks for, and what its page shows."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode

from replayproxy.dashboard.formats import visible
from replayproxy.store.connection import as_database_error, open_for_reading
from replayproxy.store.search import Found, Piece, find, parse

PAGE_SIZE = 20
MAX_CHOICES = 200
SINCE: dict[str, tuple[str, timedelta | None]] = {
    "": ("any time", None),
    "24h": ("24 h", timedelta(hours=24)),
    "7d": ("7 d", timedelta(days=7)),
    "30d": ("30 d", timedelta(days=30)),
    "90d": ("90 d", timedelta(days=90)),
}

# From one value to the next by an index, however many rows lie between.
_CHOICES = """
WITH RECURSIVE choices (value) AS (
  SELECT min({column}) FROM exchanges
  UNION ALL
  SELECT (SELECT min({column}) FROM exchanges WHERE {column} > value)
  FROM choices WHERE value IS NOT NULL)
SELECT value FROM choices WHERE value IS NOT NULL LIMIT {limit}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the URL asks for; what makes no sense in it counts as not said."""

    words: str
    model: str
    cassette: str
    since: str
    before: int | None

    @classmethod
    def read(cls, args: Mapping[str, str]) -> Self:
        """From a URL's arguments: `q`, `model`, `cassette`, `since`, `before`."""
        since, before = args.get("since", ""), args.get("before", "")
        return cls(
            words=args.get("q", "").strip(),
            model=args.get("model", ""),
            cassette=args.get("cassette", ""),
            since=since if since in SINCE else "",
            before=int(before) if before.isascii() and before.isdecimal() and len(before) < 19
            else None,
        )  # fmt: skip

    def query_string(self, *, before: int | None = None) -> str:
        """The same as a URL's arguments, from another place on."""
        said = {
            "q": self.words,
            "model": self.model,
            "cassette": self.cassette,
            "since": self.since,
            "before": before,
        }
        return urlencode({name: value for name, value in said.items() if value})


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPage:
    """All that the template shows.

    Attributes:
        understood: whether there is a word to look for.
        models: to choose from; likewise `cassettes`.
    """

    asked: Asked
    understood: bool
    found: Found
    models: tuple[str, ...]
    cassettes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """The same for programs; `next` is the query string that goes on."""
        before = self.found.before
        return {
            "ok": not self.found.timed_out,
            "not_yet_indexed": self.found.waiting,
            "next": None if before is None else self.asked.query_string(before=before),
            "rows": [
                {**hit.row, "prompt": _plain(hit.prompt), "answer": _plain(hit.answer)}
                for hit in self.found.hits
            ],
        }


def read_page(path: Path, asked: Asked, now: datetime | None = None) -> SearchPage:
    """Search the database at `path`.

    Raises:
        DatabaseError: the database cannot be used.
    """
    query = parse(asked.words)
    _, age = SINCE[asked.since]
    found = find(
        path,
        query,
        limit=PAGE_SIZE,
        before=asked.before,
        model=asked.model or None,
        cassette=asked.cassette or None,
        since=None if age is None else (now or datetime.now(UTC)) - age,
    )
    return SearchPage(
        asked=asked,
        understood=bool(query),
        found=found,
        models=_choices(path, "request_model"),
        cassettes=_choices(path, "cassette"),
    )


def _choices(path: Path, column: str) -> tuple[str, ...]:
    with closing(open_for_reading(path).conn) as connection, as_database_error(path):
        found = connection.execute(_CHOICES.format(column=column, limit=MAX_CHOICES))
        return tuple(row[0] for row in found)


def _plain(pieces: tuple[Piece, ...]) -> str | None:
    return visible("".join(piece.text for piece in pieces)) or None
