"""`replayproxy demo`: record, replay and verify on a gateway of its own, offline."""

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from replayproxy.cli.extras import require
from replayproxy.cli.text import count, dollars, milliseconds
from replayproxy.errors import ReplayproxyError

if TYPE_CHECKING:
    from replayproxy.demo.verdict import Verdict

_DATABASE = "replayproxy-demo.db"


@click.command()
@click.option(
    "--db",
    type=click.Path(path_type=Path, dir_okay=False),
    default=_DATABASE,
    metavar="FILE",
    show_default=True,
    help="Where the demo records; an earlier demo's file is replaced.",
)
@click.option("--serve", is_flag=True, help="Open the dashboard on it right away.")
def demo(db: Path, serve: bool) -> None:
    """See the whole job in half a minute, offline.

    Starts a small LLM gateway, records a few calls of the real openai SDK
    through `replayproxy record`, stops the gateway, asks the same again of
    `replayproxy replay`, and compares what came over the wire.

    \b
    Examples:
      replayproxy demo
      uvx --from 'replayproxy[all]' replayproxy demo
    """
    require("mitmproxy", feature="replayproxy demo", extra="proxy")
    require("openai", feature="replayproxy demo", extra="demo")
    out = Console(highlight=False)
    verdicts, gateway_requests = _run(db, out)
    _print_verdicts(out, verdicts)
    _print_costs(out, db)
    out.print(f"The gateway was asked {gateway_requests} times, all of them while recording.")
    if not all(verdict.identical for verdict in verdicts):
        raise ReplayproxyError("the replay was not identical to what was recorded")
    out.print("[green]Identical: every byte, every chunk border.[/green]")
    command = ["dashboard", "--db", str(db), "--open"]
    if serve:
        raise SystemExit(subprocess.call([sys.executable, "-m", "replayproxy", *command]))
    out.print(f"Look at it in a browser: replayproxy {' '.join(command)}", soft_wrap=True)


def _run(db: Path, out: Console) -> "tuple[list[Verdict], int]":
    """Record and replay; returns the comparison and how often the gateway was asked."""
    from replayproxy.children import serving
    from replayproxy.demo.client import ask_all
    from replayproxy.demo.gateway import Gateway
    from replayproxy.demo.verdict import compare

    _remove_earlier(db)
    here = Path.cwd()
    with Gateway() as gateway:
        upstream = gateway.url.removesuffix("/v1")
        with serving("record", "--db", str(db), "--upstream", upstream, cwd=here) as url:
            out.print("recording: app -> replayproxy -> gateway")
            live = ask_all(f"{url}/v1")
        requests = gateway.requests
    with serving("replay", "--db", str(db), "--upstream", upstream, cwd=here) as url:
        out.print("replaying: app -> replayproxy    (the gateway is gone)")
        replayed = ask_all(f"{url}/v1")
    return compare(live, replayed), requests


def _remove_earlier(db: Path) -> None:
    """Only a file that says it is a demo's is replaced."""
    if db.exists() and db.name != _DATABASE:
        raise ReplayproxyError(f"{db} exists already. Name a new file with --db.")
    for path in db.parent.glob(f"{db.name}*"):
        if path.is_file():
            path.unlink()


def _print_verdicts(out: Console, verdicts: "list[Verdict]") -> None:
    table = _table("Live and replayed, compared on the wire (ms)")
    table.add_column("call")
    for name in ("chunks", "bytes", "same bytes", "same borders", "first", "again", "off by"):
        table.add_column(name, justify="right")
    for verdict in verdicts:
        table.add_row(
            verdict.name,
            count(verdict.chunks),
            count(verdict.size),
            _yes(verdict.same_bytes),
            _yes(verdict.same_borders),
            f"{verdict.first_live_ms:.1f}",
            f"{verdict.first_replayed_ms:.1f}",
            f"{verdict.median_error_ms:.1f}..{verdict.worst_error_ms:.1f}",
        )
    table.caption = "first, again: time to the first chunk; off by: median..worst of all chunks"
    out.print(table)


def _table(title: str) -> Table:
    """One that fits 80 columns."""
    return Table(
        title=title,
        title_justify="left",
        title_style="bold",
        caption_justify="left",
        box=None,
        pad_edge=False,
    )


def _yes(true: bool) -> str:
    return "[green]yes[/green]" if true else "[red]NO[/red]"


def _print_costs(out: Console, db: Path) -> None:
    from replayproxy.store import Store

    table = _table("What was recorded")
    table.add_column("model", no_wrap=True, max_width=25)
    for name in ("in", "out", "cost", "said by", "content", "whole"):
        table.add_column(name, justify="right", no_wrap=True)
    with Store(db) as store:
        rows = list(store.rows())
    for row in rows:
        table.add_row(
            row["request_model"],
            count(row["input_tokens"]),
            count(row["output_tokens"]),
            dollars(row["cost_usd"]),
            row["cost_source"],
            milliseconds(row["time_to_first_content_ms"]),
            milliseconds(row["duration_ms"]),
        )
    total = sum(row["cost_usd"] or 0 for row in rows)
    table.caption = (
        f"{len(rows)} exchanges, {dollars(total)} in all; content: time to the first of it"
    )
    out.print(table)
