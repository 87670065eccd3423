"""`replayproxy dashboard`: look at a database in a browser."""

import logging
import os
import stat
import sys
from pathlib import Path

import click

from replayproxy.address import is_loopback
from replayproxy.cli.extras import require
from replayproxy.cli.options import db_option, listen_option
from replayproxy.cli.text import say
from replayproxy.errors import UsageError

PASSWORD_VARIABLE = "REPLAYPROXY_DASHBOARD_PASSWORD"  # noqa: S105 (its name, not its value)
MIN_PASSWORD = 8


@click.command()
@db_option
@listen_option("127.0.0.1:8001")
@click.option("--open", "open_browser", is_flag=True, help="Open it in the browser.")
@click.option(
    "--password-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help=f"Ask for the password in FILE, or in {PASSWORD_VARIABLE}.",
)
@click.option(
    "--expose",
    is_flag=True,
    help="Allow --listen on an address that other machines can reach, without a password.",
)
@click.option(
    "--allow-host",
    "hosts",
    multiple=True,
    metavar="NAME",
    help="A name it is reached by there, besides IP addresses; can be repeated.",
)
@click.option(
    "--show-bodies/--hide-bodies",
    "bodies",
    default=None,
    help="Show what was asked and answered, or only figures. Shown on this machine, and with "
    "a password; else hidden.",
)
def dashboard(
    *,
    db: Path,
    listen: tuple[str, int],
    open_browser: bool,
    password_file: Path | None,
    expose: bool,
    hosts: tuple[str, ...],
    bodies: bool | None,
) -> None:
    """Show cost, latency and every exchange in the browser, until Ctrl-C.

    It opens the database read-only, also while it is being recorded; only the
    index of its search is kept up to date. The password is sent as HTTP Basic:
    use TLS (a tunnel, a reverse proxy) where others can read the network.

    \b
    Examples:
      replayproxy dashboard --open
      replayproxy dashboard --db recordings/today.db --listen 127.0.0.1:0
      replayproxy dashboard --listen 0.0.0.0:8001 --password-file password.txt
    """
    host, port = listen
    password = _password(password_file)
    if not is_loopback(host) and password is None and not expose:
        raise UsageError(
            f"--listen {host} can be reached from other machines, and the dashboard would show "
            "its numbers to all of them without a password. Give it one with --password-file "
            "FILE, or say --expose if that is what you want. To look from elsewhere without "
            "either, tunnel to it: ssh -L 8001:127.0.0.1:8001 THIS-MACHINE"
        )
    require("datasette", feature="replayproxy dashboard", extra="dashboard")
    from replayproxy.dashboard import serve

    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(name)s: %(message)s")
    serve(
        db,
        host=host,
        port=port,
        on_listening=lambda url: say(f"replayproxy dashboard: listening on {url}"),
        open_browser=open_browser,
        hosts=hosts,
        bodies=(is_loopback(host) or password is not None) if bodies is None else bodies,
        password=password,
    )


def _password(file: Path | None) -> str | None:
    """From the file, else from the environment; never from the command line, which others see."""
    where, password = PASSWORD_VARIABLE, os.environ.get(PASSWORD_VARIABLE)
    if file is not None:
        where, password = f"--password-file {file}", _read(file.expanduser())
    if password is None:
        return None
    if len(password) < MIN_PASSWORD:
        raise UsageError(
            f"the password of {where} is too short: at least {MIN_PASSWORD} characters. "
            "One that nobody guesses: openssl rand -base64 18 > FILE"
        )
    return password


def _read(file: Path) -> str:
    try:
        if stat.S_IMODE(file.stat().st_mode) & 0o077:
            say(f"others on this machine can read {file}: chmod 600 {file}")
        return file.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise UsageError(f"--password-file {file} cannot be read: {reason}") from error
