"""`record|replay ... -- COMMAND`, and what else a command that serves does for others."""

import functools
import os
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from replayproxy import launching, ready_file
from replayproxy.address import Upstream, parse_upstream, url_of
from replayproxy.capture_modes import Address, Entrance
from replayproxy.cli.options import listen_option
from replayproxy.cli.text import say
from replayproxy.environment import (
    authority_variables,
    base_urls,
    placeholder_keys,
    proxy_variables,
    replayed_base_urls,
)
from replayproxy.environment.bundle import bundle
from replayproxy.environment.proxying import PROXIES
from replayproxy.errors import DatabaseError, UsageError
from replayproxy.home import CA_FOLDER_VARIABLE, ca_file, home
from replayproxy.ready_file import Ready, Served
from replayproxy.stopping import StopSignals
from replayproxy.store import Store

CONTEXT = {"allow_interspersed_args": False}
"""What comes after the first word of the COMMAND is the command's."""

_SHORT = 60
_ANYWHERE = ("127.0.0.1", 8080)
_FREE = ("127.0.0.1", 0)
_PROXIES = frozenset({"regular", "upstream"})
"""Capture modes whose ports a proxy variable can name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What was asked for besides serving.

    Attributes:
        command: to run while we serve; empty: none, we serve until told to stop.
        by_base_url: it is led to us by base URLs, not by proxy variables.
    """

    command: tuple[str, ...]
    by_base_url: bool
    ready_file: Path | None

    def address(self, listen: tuple[str, int] | None) -> tuple[str, int]:
        """Where to listen: a port of its own for a command, unless one was named."""
        return listen or (_FREE if self.command else _ANYWHERE)

    def check(self, *, needs_url: bool = False) -> None:
        """See that it makes sense, before anything is begun.

        Raises:
            UsageError: it does not.
            CommandError: there is no such command.
        """
        if self.by_base_url and needs_url:
            raise UsageError(
                "--base-url leads clients to an API: name it with --upstream, such as "
                "--upstream https://api.openai.com. Without --base-url no upstream is needed."
            )
        if self.by_base_url and not self.command:
            raise UsageError(
                "--base-url is about a COMMAND: replayproxy ... --base-url -- ./app. "
                "For a client that runs elsewhere: replayproxy env --base-url"
            )
        if self.command:
            launching.check(self.command, os.environ)


def run_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options of commands that serve; given to it as `run` and `listen`."""

    @functools.wraps(function)
    def collected(
        *,
        command: tuple[str, ...],
        base_url: bool,
        ready_file: Path | None,
        listen: tuple[str, int] | None,
        **others: Any,
    ) -> Any:
        run = Run(command=command, by_base_url=base_url, ready_file=ready_file)
        return function(run=run, listen=run.address(listen), **others)

    decorated: Callable[..., Any] = collected
    for decorate in (
        ca_folder_option,
        click.option(
            "--ready-file",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="Write our URL, proxy URL, CA file and pid there (JSON) once we listen; "
            "it goes at the end.",
        ),
        click.option(
            "--base-url",
            is_flag=True,
            help="Lead the COMMAND to us by OPENAI_BASE_URL, ANTHROPIC_BASE_URL and the like, "
            "not by proxy variables.",
        ),
        listen_option(None, shown="127.0.0.1:8080; a free port with a COMMAND"),
        click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND...]"),
    ):
        decorated = decorate(decorated)
    return decorated


def _name_ca_folder(ctx: click.Context, param: click.Parameter, folder: Path | None) -> Path | None:
    if folder:  # for whoever asks home.py, and for our children
        os.environ[CA_FOLDER_VARIABLE] = str(folder.expanduser().absolute())
    return folder


ca_folder_option = click.option(
    "--ca-folder",
    type=click.Path(file_okay=False, path_type=Path),
    envvar=CA_FOLDER_VARIABLE,
    show_envvar=True,
    metavar="FOLDER",
    expose_value=False,
    callback=_name_ca_folder,
    help="Where the certificate authority is, or will be: such as ~/.mitmproxy.  "
    "[default: ~/.replayproxy]",
)


def variables(ready: Ready, *, by_base_url: bool) -> dict[str, str]:
    """What leads a client to a proxy of ours that listens.

    Raises:
        UsageError: it cannot be reached in this way.
    """
    inherited = os.environ
    found: dict[str, str] = {}
    recorded = _recorded(ready) if ready.command == "replay" else []
    if by_base_url:
        for api in reversed(ready.apis):  # the one named first counts
            found |= base_urls(api.url, parse_upstream(api.upstream))
        found = found or replayed_base_urls(ready.url, recorded)
        exempt = [inherited.get("NO_PROXY"), "127.0.0.1,localhost"]
        found |= dict.fromkeys(("NO_PROXY", "no_proxy"), ",".join(filter(None, exempt)))
    elif ready.ca_file is None:
        raise UsageError(
            f"{ready.url} is no proxy, but the API itself: lead clients there with --base-url."
        )
    else:
        authorities = bundle(Path(ready.ca_file), folder=home(), inherited=inherited)
        found = (
            proxy_variables(ready.proxy_url, authorities=authorities, inherited=inherited)
            if ready.proxy_url
            else authority_variables(authorities)
        )
    if ready.command == "replay":
        found |= placeholder_keys(recorded, inherited)
    return found


def _recorded(ready: Ready) -> list[tuple[str, str]]:
    try:
        with Store(Path(ready.db)) as store:
            return store.asked(cassette=ready.cassette)
    except DatabaseError:
        return []


async def until_over(
    run: Run, ready: Ready, stop: StopSignals, *, introduce: Callable[[], None]
) -> int:
    """Wait until we are told to stop, or run the command; its exit code, else 0.

    `introduce` tells whoever starts clients by hand what they need to know.
    """
    with ready_file.written(run.ready_file, ready):
        if not run.command:
            introduce()
            await stop.asked.wait()
            return 0
        _say_bypassed()
        by_base_url = run.by_base_url or (bool(ready.apis) and not ready.proxy_url)
        more = variables(ready, by_base_url=by_base_url)
        return await launching.run(run.command, {**os.environ, **more}, stop)


def ready_to(
    command: str,
    ways_in: Sequence[Entrance],
    addresses: Sequence[Address | None],
    *,
    takes_all: bool,
    db: Path,
    cassette: str,
) -> Ready:
    """What others need to know of us, now that we listen.

    Args:
        addresses: where each of the ways in listens.
        takes_all: whether every port is one for clients of proxies, too.
    """
    ports = [
        (entrance, url_of(*address))
        for entrance, address in zip(ways_in, addresses, strict=True)
        if address and entrance.mode != "wireguard"
    ]
    proxies = [url for entrance, url in ports if takes_all or entrance.mode in _PROXIES]
    return Ready(
        command=command,
        url=ports[0][1] if ports else "",
        proxy_url=proxies[0] if proxies else None,
        ca_file=None
        if all(entrance.routes for entrance in ways_in) and not proxies
        else str(ca_file()),
        pid=os.getpid(),
        db=str(db.absolute()),
        cassette=cassette,
        apis=tuple(
            api
            for entrance, url in ports
            for route in entrance.routes
            for api in served(url + route.prefix, route.upstream)
        ),
    )


def served(url: str, upstream: Upstream | None) -> tuple[Served, ...]:
    """The API that is found at a URL of ours, if one was named."""
    return (Served(url=url, upstream=upstream.origin + upstream.path),) if upstream else ()


def say_nothing_came(run: Run) -> None:
    """A command that ran and was not seen: mostly something is set up otherwise than we think."""
    say(
        "replayproxy: no LLM traffic came through. If there should have been some: "
        f"replayproxy doctor -- {shortened(run.command)}"
    )


def shortened(command: tuple[str, ...]) -> str:
    """A command as one could type it, if that is no more than a line.

    >>> shortened(("./app", "a b")), shortened(("python", "-c", "x" * 80))
    ("./app 'a b'", 'python ...')
    """
    text = shlex.join(command)
    return text if len(text) <= _SHORT else f"{command[0]} ..."


def _say_bypassed() -> None:
    """Whoever needs a proxy to get out should know that we don't use it."""
    if named := next((os.environ[name] for name in PROXIES if os.environ.get(name)), None):
        shown = named.rpartition("@")[2].rpartition("/")[2]  # a password may stand before it
        say(
            f"replayproxy: your proxy {shown} is not used while we run: what we pass on goes "
            "out directly."
        )
