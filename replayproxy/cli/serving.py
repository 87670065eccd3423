"""What the commands that serve have in common."""

import asyncio
import logging
import sys
from collections.abc import Coroutine

import click

from replayproxy.address import is_loopback, url_of
from replayproxy.cli.text import one_line, say
from replayproxy.errors import UsageError
from replayproxy.home import ca_file

expose_option = click.option(
    "--expose",
    is_flag=True,
    help="Allow --listen on an address that other machines can reach. There is no password.",
)


def check_exposure(host: str, *, expose: bool) -> None:
    """Refuse an address that others can reach, unless that was asked for.

    Raises:
        UsageError: with the way out.
    """
    if not is_loopback(host) and not expose:
        raise UsageError(
            f"--listen {host} can be reached from other machines, and whoever reaches it can use "
            "it without a password. Listen on 127.0.0.1, or add --expose if that is what you want."
        )


def say_listening(command: str, host: str, port: int) -> None:
    """The line that scripts wait for; it holds no other URL."""
    say(f"replayproxy {command}: listening on {url_of(host, port)}")


def say_proxy(host: str, port: int) -> None:
    """What a client that knows no base URL has to be told."""
    say(f"proxy for clients: HTTPS_PROXY={url_of(host, port)} SSL_CERT_FILE={ca_file()}")


_SWITCH_S = 0.0005
"""How long another thread of ours may hold up the traffic's. Python's 5 ms would be felt."""


def run[T](main: Coroutine[object, object, T]) -> T:
    """Run until it returns, on uvloop where that is installed."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, force=True)
    for handler in logging.getLogger().handlers:
        handler.setFormatter(_OneLine())
    sys.setswitchinterval(_SWITCH_S)
    # one line for every connection would cost a third of an exchange's time
    logging.getLogger("mitmproxy.proxy.server").setLevel(logging.WARNING)
    try:
        import uvloop
    except ModuleNotFoundError:
        return asyncio.run(main)
    return uvloop.run(main)


class _OneLine(logging.Formatter):
    """Log lines can hold remote text: one line each, no terminal escapes."""

    def format(self, record: logging.LogRecord) -> str:
        return one_line(record.getMessage().strip()) + (
            "\n" + self.formatException(record.exc_info) if record.exc_info else ""
        )
