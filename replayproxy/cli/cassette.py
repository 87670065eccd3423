"""`replayproxy cassette`: looking after text cassettes."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from replayproxy.cassettes import checking, sealing
from replayproxy.cli.options import json_option
from replayproxy.cli.rules import AGE, Age
from replayproxy.cli.text import json_line, one_line, plural, say
from replayproxy.errors import UsageError


@click.group()
def cassette() -> None:
    """Look after text cassettes: check a folder of them, seal an edited one.

    \b
    Examples:
      replayproxy cassette check tests/ --max-age 90d
      replayproxy cassette seal tests/cassettes/test_chat/test_answer.yaml
    """


@cassette.command()
@click.argument(
    "places",
    metavar="[DIR|FILE]...",
    type=click.Path(exists=True, path_type=Path),
    nargs=-1,
    required=True,
)
@click.option(
    "--max-age",
    type=AGE,
    metavar="AGE",
    help="What was recorded longer ago (90d, 12w), or before a date, is too old.",
)
@json_option
def check(places: tuple[Path, ...], max_age: Age | None, as_json: bool) -> None:
    """Check cassettes: their format, secrets, use, age, and duplicates.

    The exit code is 1 if something is wrong. Duplicates are told, and are not
    wrong. A cassette is in use if the test it is named after is there, or if
    some Python file beside its folder has its name in quotes.

    \b
    In .pre-commit-config.yaml:
      - repo: local
        hooks:
        - {id: cassettes, name: cassettes, language: system,
           entry: replayproxy cassette check, files: /cassettes/.*yaml$}

    \b
    Examples:
      replayproxy cassette check tests/
      replayproxy cassette check tests/ --max-age 90d --json
    """
    paths = checking.found_in(places)
    oldest = datetime.now(UTC) - max_age if isinstance(max_age, timedelta) else max_age
    found = list(checking.problems(paths, older_than=oldest.date() if oldest else None))
    for problem in found:
        told = {"path": str(problem.path), "kind": problem.kind, "message": problem.message}
        click.echo(
            json_line(told)
            if as_json
            else one_line(f"{problem.path}: {problem.kind}: {problem.message}")
        )
    wrong = {p.path for p in found if p.kind is not checking.Kind.DUPLICATE}
    say(f"{plural(len(paths), 'cassette')}, {len(wrong)} with something wrong")
    raise SystemExit(1 if wrong else 0)


@cassette.command()
@click.argument(
    "files", metavar="FILE...", type=click.Path(path_type=Path), nargs=-1, required=True
)
def seal(files: tuple[Path, ...]) -> None:
    """Renew the checksum of cassettes that were edited on purpose.

    Only the line `checksum` changes; what the file says must make sense. A
    cassette without that line needs no seal: it was written by hand.

    \b
    Examples:
      replayproxy cassette seal tests/cassettes/test_chat/test_answer.yaml
    """
    if folders := [file for file in files if file.is_dir()]:
        raise UsageError(f"{folders[0]} is a folder: name the cassettes that you edited")
    for file in files:
        changed = sealing.seal(file)
        say(f"{file}: {'sealed' if changed else 'was sealed already'}")
