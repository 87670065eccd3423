"""`replayproxy search`: find exchanges by what was asked and answered."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress
from rich.text import Text

from replayproxy.cli.options import db_option, json_option
from replayproxy.cli.rules import Age, since_option, started_since
from replayproxy.cli.text import json_line, one_line, plural, say
from replayproxy.errors import DatabaseError, UsageError
from replayproxy.store.search import Found, Hit, Piece, catch_up, find, parse
from replayproxy.store.search import rebuild as make_anew

_PIPED_WIDTH = 160


@click.command()
@click.argument("words", nargs=-1)
@db_option
@click.option("--cassette", metavar="NAME", help="Only exchanges of this cassette.")
@click.option("--model", metavar="NAME", help="Only exchanges that asked for this model.")
@since_option
@click.option(
    "--limit",
    type=click.IntRange(1, 1000),
    default=20,
    show_default=True,
    metavar="N",
    help="No more than so many.",
)
@click.option("--rebuild", is_flag=True, help="First make the index anew.")
@json_option
def search(
    *,
    words: tuple[str, ...],
    db: Path,
    cassette: str | None,
    model: str | None,
    since: Age | None,
    limit: int,
    rebuild: bool,
    as_json: bool,
) -> None:
    """Find exchanges by words of their prompts and answers, newest first.

    All words must be there, in any case. 'two words' in one argument (or inside
    "double quotes") follow each other, word* is a beginning, and after -- a -word
    must not be there. A turn of a conversation is found where it was new, not in
    every request that repeats it.

    \b
    Examples:
      replayproxy search lisbon rain
      replayproxy search 'rate limit' --since 7d --json
      replayproxy search -- 'tool call' weath* -oslo
    """
    query = parse(" ".join(map(_as_typed, words)))
    if rebuild:
        _indexed(db, make_anew)
        if not words:
            return
    if not query:
        raise UsageError("say at least one word to look for, such as: replayproxy search weather")
    moment = started_since(since, datetime.now(UTC))
    _catch_up(db)
    found = find(db, query, limit=limit, model=model, cassette=cassette, since=moment)
    if as_json:
        for hit in found.hits:
            click.echo(json_line(_as_json(hit)))
    else:
        _print(found)
    _say_what_is_missing(found)


def _as_typed(word: str) -> str:
    """An argument with a space was quoted for the shell, and meant as a phrase."""
    return f'"{word}"' if any(map(str.isspace, word)) and '"' not in word else word


def _catch_up(db: Path) -> None:
    """Index what nobody had time for yet; a file that cannot be written is searched as it is."""
    if db.exists():
        try:
            _indexed(db, catch_up)
        except DatabaseError as error:
            find(db, parse(""))  # raises for all that is worse than being read-only
            say(f"not all is indexed: {error.reason}")


def _indexed(db: Path, index: Callable[..., None]) -> None:
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("indexing what was recorded")

        def show(done: int, of_all: int) -> None:
            progress.update(task, completed=done, total=of_all)

        index(db, on_progress=show)


def _as_json(hit: Hit) -> dict[str, Any]:
    return {**hit.row, "prompt": _plain(hit.prompt), "answer": _plain(hit.answer)}


def _plain(pieces: tuple[Piece, ...]) -> str | None:
    return "".join(piece.text for piece in pieces) or None


def _print(found: Found) -> None:
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(width=_PIPED_WIDTH, highlight=False)
    for hit in found.hits:
        row = hit.row
        what = row["request_model"] or row["protocol"]
        head = f"{row['id']}  {row['started_at'][:19].replace('T', ' ')}  {one_line(what)}"
        console.print(Text(head, style="bold"))
        for line in _lines(hit):
            console.print(line)


def _lines(hit: Hit) -> Iterator[Text]:
    for name, pieces in (("asked", hit.prompt), ("answered", hit.answer)):
        if pieces:
            line = Text(f"    {name}: ", style="dim")
            for piece in pieces:
                line.append(_flat(piece.text), style="bold red" if piece.is_match else "not dim")
            yield line


def _flat(text: str) -> str:
    """On one line, with its spaces."""
    return one_line(text.replace("\n", " "))


def _say_what_is_missing(found: Found) -> None:
    if found.timed_out:
        say("It took too long. Say more, or narrow it with --since, --model or --cassette.")
    elif not found.hits:
        say("Nothing found.")
    elif found.before is not None:
        say("There are more: --limit shows them.")
    if found.waiting:
        say(f"{plural(found.waiting, 'exchange')} could not be searched: not yet indexed.")
