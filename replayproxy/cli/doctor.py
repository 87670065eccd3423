"""`replayproxy doctor`: what is wrong with a set-up, and what to do about it."""

import os
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click

from replayproxy import launching
from replayproxy.cli import serving
from replayproxy.cli.extras import require
from replayproxy.cli.options import db_option, json_option, listen_option
from replayproxy.cli.running import CONTEXT, ca_folder_option
from replayproxy.cli.text import json_line, printable
from replayproxy.doctor import Finding, Level
from replayproxy.home import ca_file, ca_folder

_SIGNS = {Level.OK: ("ok  ", None), Level.NOTE: ("note", "yellow"), Level.PROBLEM: ("BAD ", "red")}


@click.command(context_settings=CONTEXT)
@db_option
@listen_option("127.0.0.1:8080", help="Where you mean to listen.")
@json_option
@ca_folder_option
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND...]")
def doctor(*, db: Path, listen: tuple[str, int], as_json: bool, command: tuple[str, ...]) -> None:
    """Say what is wrong with this set-up, and what to do about it.

    Looks at the installation, the port, the certificate authority, this shell's
    variables, the clock and the database, and changes nothing. A COMMAND is run as
    `record` runs it, asks what it asks (which may cost something), and is watched:
    whether its traffic comes through. The exit code is 1 if anything is bad.

    \b
    Examples:
      replayproxy doctor
      replayproxy doctor -- ./app --its-own options
      replayproxy doctor --db recordings/today.db --json
    """
    if command:
        require("mitmproxy", feature="replayproxy doctor -- COMMAND", extra="proxy")
        launching.check(command, os.environ)
    is_well = True
    for finding in _findings(db, listen, command):
        is_well = is_well and finding.level is not Level.PROBLEM
        if as_json:
            click.echo(json_line(asdict(finding)))
            continue
        sign, colour = _SIGNS[finding.level]
        text = printable(f"{finding.subject}: {finding.text}")
        click.echo(f"{click.style(sign, fg=colour)} {text}")
        if finding.todo:
            click.echo(f"     {printable(finding.todo)}")
    raise SystemExit(0 if is_well else 1)


def _findings(db: Path, listen: tuple[str, int], command: tuple[str, ...]) -> Iterator[Finding]:
    from replayproxy.doctor import database, setup, shell

    environ = os.environ
    yield from setup.installation()
    yield from setup.port(*listen)
    yield from setup.authority(ca_folder(), now=datetime.now(UTC))
    yield from shell.proxies(environ)
    yield from shell.exemptions(environ)
    yield from shell.authorities(environ, ca_file())
    yield from shell.preload(environ)
    yield from shell.base_urls(environ)
    yield from shell.keys(environ)
    yield from database.database(db)
    if command:
        from replayproxy.doctor.traffic import traffic

        yield from serving.run(traffic(command))
