"""`replayproxy list`: one line per exchange, newest last."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from replayproxy.cli.options import db_option, json_option
from replayproxy.cli.text import count, dollars, json_line, milliseconds, one_line, say
from replayproxy.store import Store

_INTERNAL = {"run_id"}
_PIPED_WIDTH = 160


@click.command("list")
@db_option
@click.option("--cassette", metavar="NAME", help="Only this cassette.")
@click.option("--misses", is_flag=True, help="What replays were asked for and did not have.")
@json_option
def list_exchanges(db: Path, cassette: str | None, misses: bool, as_json: bool) -> None:
    """List recorded exchanges, one line each, newest last.

    With --json, one JSON object a line: null is unknown, times are
    milliseconds since the last byte of the request.

    \b
    Examples:
      replayproxy list --cassette tests
      replayproxy list --json | jq 'select(.error) | .id'
      replayproxy list --misses
    """
    with Store(db) as store:
        if misses:
            _list_misses(store.misses(cassette=cassette), as_json=as_json)
        elif as_json:
            for row in store.rows(cassette=cassette):
                click.echo(_json_line(row))
        else:
            _print_table(store.rows(cassette=cassette))


def _list_misses(rows: Iterable[dict[str, Any]], *, as_json: bool) -> None:
    there_are = False
    for row in rows:
        there_are = True
        click.echo(json_line(row) if as_json else one_line(f"{_time(row)}  {row['message']}"))
    if not there_are:
        say("No misses.")


def public(row: dict[str, Any]) -> dict[str, Any]:
    """A row as `--json` shows it."""
    shown = {name: value for name, value in row.items() if name not in _INTERNAL}
    return {**shown, "streamed": bool(row["streamed"])}


def _json_line(row: dict[str, Any]) -> str:
    return json_line(public(row))


def _print_table(rows: Iterable[dict[str, Any]]) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("id", "started (UTC)", "model or path", "status"):
        table.add_column(name, no_wrap=True, min_width=len(name))
    for name in ("in", "out", "cost", "first content", "duration", "chunks"):
        table.add_column(name, justify="right", no_wrap=True, min_width=len(name))
    for row in rows:
        table.add_row(*(Text(one_line(cell)) for cell in _cells(row)))
    if not table.row_count:
        say("No exchanges yet. Record some with: replayproxy record")
        return
    console = Console()
    if not console.is_terminal:
        console = Console(width=_PIPED_WIDTH)
    console.print(table)


def _cells(row: dict[str, Any]) -> Iterable[str]:
    yield str(row["id"])
    yield _time(row)
    yield row["request_model"] or f"{row['method']} {row['path']}"
    yield _status(row)
    yield count(row["input_tokens"])
    yield count(row["output_tokens"])
    yield dollars(row["cost_usd"])
    yield milliseconds(row["time_to_first_content_ms"])
    yield milliseconds(row["duration_ms"])
    yield count(row["chunk_count"])


def _time(row: dict[str, Any]) -> str:
    moment: str = row["started_at"] if "started_at" in row else row["replayed_at"]
    return moment[:19].replace("T", " ")


def _status(row: dict[str, Any]) -> str:
    """The status; how it ended only when that was not in order."""
    status = "" if row["status"] is None else str(row["status"])
    outcome = row["outcome"] or "running"
    return status if outcome == "completed" else f"{status} {outcome}".strip()
