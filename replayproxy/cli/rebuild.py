"""`replayproxy rebuild`: derive anew what the dashboard reads."""

from pathlib import Path

import click

from replayproxy.cli.options import db_option, json_option
from replayproxy.cli.progress import progress
from replayproxy.cli.text import json_line, plural, say
from replayproxy.store import rebuild as rebuild_database


@click.command()
@db_option
@json_option
def rebuild(*, db: Path, as_json: bool) -> None:
    """Add up anew what the dashboard shows of long ranges.

    The sums by day (rollups) are kept while recording, pruning and repricing, so
    this is seldom needed: after exchanges were changed by hand, or to learn the
    stalls of streams that an earlier version recorded. It works beside running
    recorders, in small steps.

    \b
    Examples:
      replayproxy rebuild --db replayproxy.db
    """
    with progress("Adding up the exchanges") as on_progress:
        exchanges = rebuild_database(db, on_progress)
    if as_json:
        click.echo(json_line({"exchanges": exchanges}))
    say(f"added up {plural(exchanges, 'exchange')}")
