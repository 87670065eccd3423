"""`replayproxy stats`: what it cost, how long it took, what replays avoided."""

import csv
import sys
from collections.abc import Iterator
from dataclasses import asdict, fields
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from replayproxy.cli.extras import require
from replayproxy.cli.options import db_option, json_option
from replayproxy.cli.rules import Age, since_option, started_since
from replayproxy.cli.text import count, dollars, json_line, one_line, say
from replayproxy.errors import UsageError
from replayproxy.store import Store
from replayproxy.store.statistics import DIMENSIONS, Figures, Statistics

_PIPED_WIDTH = 200


@click.command()
@db_option
@click.option(
    "--by",
    type=click.Choice(list(DIMENSIONS)),
    default="model",
    show_default=True,
    help="What to group by; key is the fingerprint of the API key.",
)
@since_option
@click.option("--cassette", metavar="NAME", help="Only exchanges of this cassette.")
@json_option
@click.option("--csv", "as_csv", is_flag=True, help="CSV for spreadsheets, with a header.")
@click.option("--png", type=click.Path(path_type=Path), metavar="FILE", help="Draw a picture.")
@click.option("--svg", type=click.Path(path_type=Path), metavar="FILE", help="Draw a picture.")
def stats(
    *,
    db: Path,
    by: str,
    since: Age | None,
    cassette: str | None,
    as_json: bool,
    as_csv: bool,
    png: Path | None,
    svg: Path | None,
) -> None:
    """Add up cost, tokens, errors and latency, and what replays avoided.

    TTFT is the time to the first generated content, since the last byte of the
    request; percentiles are nearest-rank. tok/s is output tokens from then to the
    end. What is not known is a dash: it is in no sum. Replays cost nothing, and
    are no exchanges; what they avoided is its own figure.

    \b
    Examples:
      replayproxy stats
      replayproxy stats --by day --since 7d
      replayproxy stats --by tag --csv > tags.csv
      replayproxy stats --png cost.png
    """
    if as_json and as_csv:
        raise UsageError("choose one of --json and --csv")
    if png or svg:
        require("vl_convert", feature="stats --png and --svg", extra="dashboard")
    with Store(db) as store:
        found = store.statistics(
            by=by, since=started_since(since, datetime.now(UTC)), cassette=cassette
        )
    if as_json:
        groups = [asdict(group) for group in found.groups]
        click.echo(json_line({"by": by, "total": asdict(found.total), "groups": groups}))
    elif as_csv:
        _write_csv(found, by)
    elif not png and not svg:
        _print_table(found, by)
    for path in (png, svg):
        if path:
            _draw(found, by, path, as_png=path is png)


def _draw(found: Statistics, by: str, path: Path, *, as_png: bool) -> None:
    from replayproxy.cli.stats_picture import draw

    if not found.groups:
        raise UsageError("there is nothing to draw: no exchanges in this time")
    try:
        path.write_bytes(draw(found, by=by, as_png=as_png))
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error
    say(f"wrote {path}")


def _write_csv(found: Statistics, by: str) -> None:
    names = [field.name for field in fields(Figures)]
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow([by if name == "name" else name for name in names])
    for group in found.groups:
        writer.writerow(_harmless(value) for value in asdict(group).values())


def _harmless(value: object) -> object:
    """Spreadsheets take a text that begins so for a formula, whoever chose the model's name."""
    is_formula = isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r"))
    return f"'{value}" if is_formula else value


def _print_table(found: Statistics, by: str) -> None:
    if not found.groups:
        say("No exchanges in this time.")
        return
    rows = [dict(_cells(figures)) for figures in (*found.groups, found.total)]
    # what nobody has is no column
    titles = [title for title in rows[-1] if any(row[title] not in ("-", "0") for row in rows)]
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column(by, no_wrap=True)
    for title in titles:
        table.add_column(title, justify="right", no_wrap=True)
    for group, row in zip(found.groups, rows, strict=False):
        last = group is found.groups[-1]
        name = Text(one_line(group.name or f"no {by}"))
        table.add_row(name, *(row[title] for title in titles), end_section=last)
    table.add_row("total", *(rows[-1][title] for title in titles), style="bold")
    console = Console()
    if not console.is_terminal:
        console = Console(width=_PIPED_WIDTH)
    console.print(table)


def _cells(figures: Figures) -> Iterator[tuple[str, str]]:
    f = figures
    yield "exchanges", count(f.exchanges)
    yield "errors", count(f.errors)
    yield "cost", dollars(f.cost_usd)
    yield "no cost", count(f.exchanges_without_cost)
    yield "in", count(f.input_tokens)
    yield "cached", count(f.cache_read_tokens)
    yield "out", count(f.output_tokens)
    yield "reasoning", count(f.reasoning_tokens)
    yield "TTFT s p50/95/99", _seconds(f.ttft_p50_ms, f.ttft_p95_ms, f.ttft_p99_ms)
    yield "duration s p50/95/99", _seconds(f.duration_p50_ms, f.duration_p95_ms, f.duration_p99_ms)
    speed = f.output_tokens_per_second
    yield "tok/s", "-" if speed is None else f"{speed:,.0f}"
    yield "replays", count(f.replays)
    yield "avoided", dollars(f.avoided_cost_usd)


def _seconds(*percentiles_ms: float | None) -> str:
    known = [f"{ms / 1000:.2f}" for ms in percentiles_ms if ms is not None]
    return " ".join(known) or "-"
