"""`replayproxy reprice`: new costs for old exchanges, on request only."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import click

from replayproxy.cli.options import db_option, json_option, prices_option
from replayproxy.cli.rules import Age, since_option, started_since
from replayproxy.cli.text import dollars, json_line, one_line, plural, say
from replayproxy.pricing import PriceFile, priced
from replayproxy.store import Repriced
from replayproxy.store import reprice as reprice_database


@click.command()
@db_option
@since_option
@click.option("--cassette", metavar="NAME", help="Only exchanges of this cassette.")
@prices_option
@click.option("--dry-run", is_flag=True, help="Change nothing; tell what would change.")
@json_option
def reprice(
    *,
    db: Path,
    since: Age | None,
    cassette: str | None,
    prices: PriceFile | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Compute the cost of recorded exchanges anew.

    Costs are computed once, when an exchange is recorded, and never change by
    themselves. This computes them again, each at the prices of its own time: after
    a new version of the price list, or with a price file of yours. What the
    provider itself reported stays, and still wins.

    \b
    Examples:
      replayproxy reprice --dry-run
      replayproxy reprice --prices prices.toml --since 30d
    """
    repriced = reprice_database(
        db,
        partial(priced, own=prices),
        since=started_since(since, datetime.now(UTC)),
        cassette=cassette,
        dry_run=dry_run,
    )
    if as_json:
        click.echo(json_line(_as_object(repriced, dry_run=dry_run)))
    for line in _lines(repriced, dry_run=dry_run):
        say(one_line(line))


def _lines(repriced: Repriced, *, dry_run: bool) -> Iterator[str]:
    for change in repriced.changes:
        before, after = (dollars(float(usd)) for usd in (change.before_usd, change.after_usd))
        exchanges = plural(change.exchanges, "exchange")
        yield f"{change.model or 'no model'}: {exchanges}, {before} -> {after}"
    verb = "would change" if dry_run else "changed"
    yield f"{verb} the cost of {repriced.changed:,} of {plural(repriced.exchanges, 'exchange')}"
    if repriced.unknown:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in repriced.unknown.items())
        yield f"without a cost: {reasons}"


def _as_object(repriced: Repriced, *, dry_run: bool) -> dict[str, object]:
    changes = [
        {**asdict(c), "before_usd": float(c.before_usd), "after_usd": float(c.after_usd)}
        for c in repriced.changes
    ]
    return {"dry_run": dry_run, **asdict(repriced), "changes": changes}
