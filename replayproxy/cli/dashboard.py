"""`replayproxy dashboard`: look at a database in a browser."""

import logging
import sys
from pathlib import Path

import click

from replayproxy.address import is_loopback
from replayproxy.cli.extras import require
from replayproxy.cli.options import db_option, listen_option
from replayproxy.cli.text import say
from replayproxy.errors import UsageError


@click.command()
@db_option
@listen_option("127.0.0.1:8001")
@click.option("--open", "open_browser", is_flag=True, help="Open it in the browser.")
def dashboard(db: Path, listen: tuple[str, int], open_browser: bool) -> None:
    """Show cost, latency and every exchange in the browser, until Ctrl-C.

    \b
    replayproxy dashboard --open
    replayproxy dashboard --db recordings/today.db --listen 127.0.0.1:0

    It opens the database read-only, also while it is being recorded.
    """
    host, port = listen
    if not is_loopback(host):
        raise UsageError(
            f"--listen {host} can be reached from other machines, and the dashboard shows every "
            "prompt and answer without a password yet. Listen on 127.0.0.1; to look from "
            "elsewhere, tunnel to it: ssh -L 8001:127.0.0.1:8001 THIS-MACHINE"
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
    )
