"""What to delete, as options, and what was deleted, in words."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from replayproxy.cli.options import Decorator
from replayproxy.cli.text import byte_count, json_line, plural, say
from replayproxy.store import Pruned, Rules

_AGE = re.compile(r"(\d+)(h|d|w)", re.ASCII)
_HOURS = {"h": 1, "d": 24, "w": 24 * 7}
_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([kmgt])(i?)b?", re.ASCII | re.IGNORECASE)

type Age = timedelta | datetime
"""How long ago, or when."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneOptions:
    """The rules as they were typed; an age becomes a time when it is applied."""

    older_than: Age | None
    keep: int | None
    max_bytes: int | None
    cassette: str | None

    def __bool__(self) -> bool:
        return any(rule is not None for rule in (self.older_than, self.keep, self.max_bytes))

    def at(self, now: datetime) -> Rules:
        """What they mean at this time."""
        return Rules(
            before=started_since(self.older_than, now),
            keep=self.keep,
            max_bytes=self.max_bytes,
            cassette=self.cassette,
        )


class _Age(click.ParamType[Age]):
    name = "age"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Age:
        """`12h`, `30d`, `4w`, or a date (UTC unless it says otherwise)."""
        text = str(value)
        try:
            if match := _AGE.fullmatch(text):
                age = timedelta(hours=int(match[1]) * _HOURS[match[2]])
                _check_year(datetime.now(UTC) - age)
                return age
            moment = datetime.fromisoformat(text)
            return _check_year(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
        except (ValueError, OverflowError):
            self.fail(f"{text!r} is no age (12h, 30d, 4w) and no date (2026-01-31)", param, ctx)


def _check_year(moment: datetime) -> datetime:
    if moment.year < 1970:
        raise ValueError(moment)
    return moment


class _Size(click.ParamType[int]):
    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """`500MB`, `1.5G` (powers of 1000), `2GiB` (of 1024): a bare number is too easily wrong."""
        match = _SIZE.fullmatch(str(value))
        if match is None:
            self.fail(f"{value!r} is no size such as 500MB, 2GB or 512MiB", param, ctx)
        number, unit, binary = match.groups()
        return int(float(number) * (1024 if binary else 1000) ** ("kmgt".index(unit.lower()) + 1))


def started_since(age: Age | None, now: datetime) -> datetime | None:
    """When what is younger than this age began."""
    return now - age if isinstance(age, timedelta) else age


since_option = click.option(
    "--since",
    type=_Age(),
    metavar="AGE",
    help="Only what started within AGE: 12h, 30d, 4w, or after a date (UTC): 2026-01-31.",
)


AGE = _Age()


def prune_options(*, prefix: str = "", verb: str = "Delete") -> Decorator:
    """`--older-than`, `--keep` and `--max-size`; they come as the parameters of those names."""

    def decorate(command: Any) -> Any:
        for option in (
            click.option(
                f"--{prefix}max-size",
                type=_Size(),
                metavar="SIZE",
                help=f"{verb} the oldest until the file is no larger than SIZE: 500MB, 2GB.",
            ),
            click.option(
                f"--{prefix}keep",
                type=click.IntRange(min=0),
                metavar="N",
                help=f"{verb} all but the newest N.",
            ),
            click.option(
                f"--{prefix}older-than",
                type=AGE,
                metavar="AGE",
                help=f"{verb} what is older than AGE: 12h, 30d, 4w, or a date (UTC): 2026-01-31.",
            ),
        ):
            command = option(command)
        return command

    return decorate


dry_run_option = click.option(
    "--dry-run", is_flag=True, help="Change nothing; tell what would be deleted."
)


def report(pruned: Pruned, *, dry_run: bool, as_json: bool) -> None:
    """One line of words on stderr; for machines also JSON on stdout."""
    say(summary(pruned, dry_run=dry_run))
    if as_json:
        click.echo(json_line(as_object(pruned, dry_run=dry_run)))


def as_object(pruned: Pruned, *, dry_run: bool) -> Mapping[str, Any]:
    """As `--json` shows it."""
    return {"dry_run": dry_run, **asdict(pruned)}


def summary(pruned: Pruned, *, dry_run: bool = False) -> str:
    """What has gone, and what has not, in a line."""
    counts = f"{plural(pruned.exchanges, 'exchange')}, {plural(pruned.bodies, 'body', 'bodies')}"
    freed = byte_count(pruned.bytes_freed)
    if dry_run:
        text = f"would delete {counts}; about {freed} to be given back"
    else:
        text = f"deleted {counts}; {freed} given back"
    if pruned.bytes_free_inside:
        text += f", {byte_count(pruned.bytes_free_inside)} free for new recordings"
    if pruned.still_running:
        verb = "is" if pruned.still_running == 1 else "are"
        text += f"; {plural(pruned.still_running, 'exchange')} {verb} still running, so not deleted"
    return text + (f" ({pruned.undone})" if pruned.undone else "")
