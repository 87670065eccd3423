"""`replayproxy env`: the variables that `-- COMMAND` sets, for a shell or a file."""

import os
from pathlib import Path
from typing import Literal

import click

from replayproxy import health, ready_file
from replayproxy.address import parse_upstream, url_of
from replayproxy.cli import running
from replayproxy.cli.options import cassette_option, db_option, json_option, listen_option
from replayproxy.cli.text import say
from replayproxy.environment import spelled
from replayproxy.home import authority, ca_file
from replayproxy.ready_file import Ready

_SHELLS = ("sh", "fish", "powershell")


@click.command("env")
@click.option(
    "--ready-file",
    "ready",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Of the proxy to use: what it wrote there says all there is to know.",
)
@listen_option("127.0.0.1:8080", help="Or where it listens.")
@click.option("--upstream", metavar="URL", help="Or the API that it stands for.")
@db_option
@cassette_option
@click.option(
    "--base-url", is_flag=True, help="Base URLs (OPENAI_BASE_URL, ...), not proxy variables."
)
@click.option(
    "--shell",
    type=click.Choice(_SHELLS),
    default=lambda: "fish" if Path(os.environ.get("SHELL", "")).name == "fish" else "sh",
    show_default="that of $SHELL",
    help="Whose syntax: sh is bash and zsh, too.",
)
@click.option("--format", "form", type=click.Choice(["shell", "dotenv"]), default="shell",
              show_default=True, help="For a shell's eval, or for a .env file.")  # fmt: skip
@json_option
@running.ca_folder_option
def env(
    *,
    ready: Path | None,
    listen: tuple[str, int],
    upstream: str | None,
    db: Path,
    cassette: str,
    base_url: bool,
    shell: str,
    form: Literal["shell", "dotenv"],
    as_json: bool,
) -> None:
    """Print the variables that lead a program to a proxy of ours that runs.

    They are those that `record -- COMMAND` sets: proxy and certificate variables, or
    base URLs; for a replay placeholders for keys that are not set, too. --db and
    --cassette are those of a replay, whose base URLs and keys they tell.

    \b
    Examples:
      eval "$(replayproxy env)"; ./app
      replayproxy env --base-url --format dotenv > .env
      replayproxy env --ready-file ready.json --json
      replayproxy env --shell fish | source
      replayproxy env --listen 127.0.0.1:9000 --shell powershell
    """
    found = (
        ready_file.read(ready)
        if ready
        else _asked(listen, upstream=upstream, db=db, cassette=cassette)
    )
    variables = running.variables(found, by_base_url=base_url)
    click.echo(spelled(variables, "json" if as_json else "dotenv" if form == "dotenv" else shell))


def _asked(address: tuple[str, int], *, upstream: str | None, db: Path, cassette: str) -> Ready:
    """What is known of a proxy by its address; of its command it is asked."""
    url = url_of(*address)
    if not ca_file().exists() and not authority():  # made by the first who needs it
        say("replayproxy env: without the 'proxy' extra there is no authority: --base-url only.")
    return Ready(
        command=_command_at(url),
        url=url,
        proxy_url=url,
        ca_file=str(ca_file()) if ca_file().exists() else None,
        pid=0,
        db=str(db.absolute()),
        cassette=cassette,
        apis=running.served(url, parse_upstream(upstream) if upstream else None),
    )


def _command_at(url: str) -> str:
    if command := health.command_at(url):
        return command
    say(f"replayproxy env: nothing of ours answers at {url} now; taken for a recorder.")
    return "record"
