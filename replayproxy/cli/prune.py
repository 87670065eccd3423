"""`replayproxy prune`: delete what is old, or too much."""

from datetime import UTC, datetime
from pathlib import Path

import click

from replayproxy.cli.options import db_option, json_option
from replayproxy.cli.rules import Age, PruneOptions, dry_run_option, prune_options, report
from replayproxy.errors import UsageError
from replayproxy.store import prune as prune_database


@click.command()
@db_option
@prune_options()
@click.option("--cassette", metavar="NAME", help="Only exchanges of this cassette.")
@dry_run_option
@json_option
def prune(
    *,
    db: Path,
    older_than: Age | None,
    keep: int | None,
    max_size: int | None,
    cassette: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Delete old exchanges and give their space back.

    Whatever any of the rules says goes; what is still running stays. It can be
    done while the database is recorded into, read or replayed. To have it done
    all the time, give the rules to `replayproxy record`.

    \b
    Examples:
      replayproxy prune --older-than 30d --max-size 500MB
      replayproxy prune --keep 1000 --cassette default --dry-run
    """
    options = PruneOptions(older_than=older_than, keep=keep, max_bytes=max_size, cassette=cassette)
    if not options:
        raise UsageError(
            "say what to delete with --older-than, --keep or --max-size, "
            "such as: replayproxy prune --older-than 30d --dry-run"
        )
    pruned = prune_database(db, options.at(datetime.now(UTC)), dry_run=dry_run)
    report(pruned, dry_run=dry_run, as_json=as_json)
