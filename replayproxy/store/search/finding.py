"""Finding: exchanges that hold the words, the newest first, and the place where they stand."""

import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from replayproxy.errors import DatabaseError
from replayproxy.store import rows
from replayproxy.store.connection import as_database_error, open_for_reading
from replayproxy.store.search.index import TOKENIZER, is_damage, is_there, unpack, waiting
from replayproxy.store.search.query import APART, Query
from replayproxy.store.sql import as_dict

PATIENCE_S = 3.0
_STEPS_BETWEEN_LOOKS = 20_000
_WORDS_AROUND = 24
_BEGIN, _END = "\ue000", "\ue001"  # private use: what stands in a text itself is taken out first
_MARKS = str.maketrans({_BEGIN: "\ufffd", _END: "\ufffd"})

_SELECT = """
SELECT exchanges.id, started_at, cassette, protocol, request_model, status, outcome, error,
  duration_ms, cost_usd, search_docs.prompt, search_docs.answer
FROM search
JOIN exchanges ON exchanges.id = search.rowid
JOIN search_docs ON search_docs.exchange_id = search.rowid
WHERE search MATCH :query AND search.rowid < :before
  AND (:model IS NULL OR request_model = :model)
  AND (:cassette IS NULL OR cassette = :cassette)
  AND (:since IS NULL OR started_at >= :since)
ORDER BY search.rowid DESC LIMIT :limit"""


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a text; `is_match`: it is what was looked for."""

    text: str
    is_match: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """An exchange that holds the words.

    Attributes:
        row: columns of its row of the table `exchanges`.
        prompt: where they stand in what was asked; empty: nowhere there.
        answer: likewise in what was answered.
    """

    row: Mapping[str, Any]
    prompt: tuple[Piece, ...]
    answer: tuple[Piece, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was found.

    Attributes:
        before: there are more; look again, before this exchange. None: that was all.
        waiting: exchanges that are not yet indexed.
        timed_out: it took too long; nothing was found in that time.
    """

    hits: tuple[Hit, ...] = ()
    before: int | None = None
    waiting: int = 0
    timed_out: bool = False


def find(
    path: Path,
    query: Query,
    *,
    limit: int = 20,
    before: int | None = None,
    model: str | None = None,
    cassette: str | None = None,
    since: datetime | None = None,
) -> Found:
    """The newest exchanges that hold what is looked for.

    Args:
        before: only exchanges with a smaller id, to go on from an earlier search.

    Raises:
        DatabaseError: the database cannot be used.
    """
    with closing(open_for_reading(path).conn) as connection, as_database_error(path):
        waits = waiting(connection)
        if not query or not is_there(connection):
            return Found(waiting=waits)
        parameters = {
            "query": query.expression,
            "before": before if before is not None else 2**63 - 1,
            "model": model,
            "cassette": cassette,
            "since": rows.to_timestamp(since) if since else None,
            "limit": limit + 1,
        }
        with _patience(connection):
            try:
                cursor = connection.execute(_SELECT, parameters)
                found = [as_dict(cursor, row) for row in cursor]
            except sqlite3.Error as error:
                if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
                    return Found(waiting=waits, timed_out=True)
                if not is_damage(error):
                    raise
                raise DatabaseError(
                    path=path,
                    reason="the index of its search is damaged",
                    hint="Make it anew with: replayproxy search --rebuild",
                ) from error
    shown = found[:limit]
    texts = [(unpack(row.pop("prompt")), unpack(row.pop("answer"))) for row in shown]
    return Found(
        hits=tuple(
            Hit(row=row, prompt=prompt, answer=answer)
            for row, (prompt, answer) in zip(shown, _snippets(query, texts), strict=True)
        ),
        before=shown[-1]["id"] if len(found) > limit else None,
        waiting=waits,
    )


def _snippets(
    query: Query, texts: Sequence[tuple[str, str]]
) -> Iterator[tuple[tuple[Piece, ...], tuple[Piece, ...]]]:
    """Where the words stand: a table in memory knows, which has the texts and the same tokens."""
    with closing(sqlite3.connect(":memory:")) as memory:
        memory.execute(
            f"CREATE VIRTUAL TABLE texts USING fts5(prompt, answer, tokenize='{TOKENIZER}')"
        )
        memory.executemany(
            "INSERT INTO texts (rowid, prompt, answer) VALUES (?, ?, ?)",
            [(at, p.translate(_MARKS), a.translate(_MARKS)) for at, (p, a) in enumerate(texts)],
        )
        snippet = f"snippet(texts, {{}}, '{_BEGIN}', '{_END}', '…', {_WORDS_AROUND})"
        found = memory.execute(
            f"""SELECT rowid, {snippet.format(0)}, {snippet.format(1)}
            FROM texts WHERE texts MATCH ? ORDER BY rowid""",
            [query.expression],
        )
        by_row = {row: (_pieces(prompt), _pieces(answer)) for row, prompt, answer in found}
    for at in range(len(texts)):
        yield by_row.get(at, ((), ()))


def _pieces(snippet: str | None) -> tuple[Piece, ...]:
    if not snippet or _BEGIN not in snippet:
        return ()
    snippet = snippet.replace(APART, "")
    pieces = []
    first, *others = snippet.split(_BEGIN)
    pieces.append(Piece(first))
    for other in others:
        match, _, rest = other.partition(_END)
        pieces += [Piece(match, is_match=True), Piece(rest)]
    return tuple(piece for piece in pieces if piece.text)


@contextmanager
def _patience(connection: sqlite3.Connection) -> Iterator[None]:
    """Interrupt what takes too long."""
    ends = time.monotonic() + PATIENCE_S
    connection.set_progress_handler(lambda: time.monotonic() > ends, _STEPS_BETWEEN_LOOKS)
    try:
        yield
    finally:
        connection.set_progress_handler(None, 0)
