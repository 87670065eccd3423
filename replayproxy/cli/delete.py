"""`replayproxy delete`: some exchanges, or a whole cassette."""

from pathlib import Path

import click

from replayproxy.cli.options import db_option, json_option
from replayproxy.cli.rules import dry_run_option, report
from replayproxy.errors import UsageError
from replayproxy.store import Rules, Store
from replayproxy.store import delete as delete_exchanges
from replayproxy.store import prune as delete_by_rules


@click.command()
@click.argument("exchange_ids", metavar="[ID]...", type=int, nargs=-1)
@db_option
@click.option("--cassette", metavar="NAME", help="Every exchange of this cassette.")
@dry_run_option
@json_option
def delete(
    exchange_ids: tuple[int, ...], db: Path, cassette: str | None, dry_run: bool, as_json: bool
) -> None:
    """Delete exchanges by their ids, or a whole cassette.

    Bodies that no other exchange shares go too, and the file shrinks. An
    exchange that is still running stays: the exit code is then 1.

    \b
    Examples:
      replayproxy delete 3 4
      replayproxy delete --cassette old-tests --dry-run
    """
    if bool(exchange_ids) == (cassette is not None):
        raise UsageError(
            "say what to delete: ids (replayproxy delete 3 4; replayproxy list shows them), "
            "or a whole cassette (replayproxy delete --cassette NAME)"
        )
    if cassette is None:
        pruned = delete_exchanges(db, exchange_ids, dry_run=dry_run)
    else:
        _check_cassette(db, cassette)
        pruned = delete_by_rules(db, Rules(keep=0, cassette=cassette), dry_run=dry_run)
    report(pruned, dry_run=dry_run, as_json=as_json)
    if pruned.still_running:
        raise SystemExit(1)


def _check_cassette(db: Path, cassette: str) -> None:
    with Store(db) as store:
        names = store.cassettes()
    if cassette not in names:
        there = ", ".join(map(repr, names)) or "nothing at all"
        raise UsageError(f"{db} has no cassette {cassette!r}; there is {there}")
