"""`replayproxy replay`: answers from recordings, never from upstream."""

import importlib.util
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import click

from replayproxy.address import Upstream, parse_upstream, url_of
from replayproxy.cli import serving
from replayproxy.cli.options import (
    cassette_option,
    db_option,
    listen_option,
    repeat_option,
    speed_option,
)
from replayproxy.cli.text import plural, say
from replayproxy.playback import Repeat


@click.command()
@db_option
@cassette_option
@listen_option("127.0.0.1:8080")
@click.option(
    "--upstream",
    metavar="URL",
    help="The API that clients think they talk to: its recordings are preferred. Nothing is "
    "ever sent to it. With it, only base-URL clients are served.",
)
@speed_option
@repeat_option
@serving.expose_option
def replay(
    *,
    db: Path,
    cassette: str,
    listen: tuple[str, int],
    upstream: str | None,
    speed: float,
    repeat: str,
    expose: bool,
) -> None:
    """Answer requests from recordings: same bytes, same rhythm, no network.

    A request that was not recorded gets a 404 that names the closest recording
    and where it differs. No connection upstream is ever made.

    \b
    replayproxy replay
    OPENAI_BASE_URL=http://127.0.0.1:8080/v1 ./app
    HTTPS_PROXY=http://127.0.0.1:8080 \\
      SSL_CERT_FILE=~/.replayproxy/mitmproxy-ca-cert.pem ./app
    """
    serving.check_exposure(listen[0], expose=expose)
    to = parse_upstream(upstream) if upstream else None
    serving.run(
        _replay(
            db=db, cassette=cassette, listen=listen, upstream=to, speed=speed, repeat=Repeat(repeat)
        )
    )


async def _replay(
    *,
    db: Path,
    cassette: str,
    listen: tuple[str, int],
    upstream: Upstream | None,
    speed: float,
    repeat: Repeat,
) -> None:
    from replayproxy.origin import Origin
    from replayproxy.player import Player
    from replayproxy.session import Session
    from replayproxy.stopping import StopSignals
    from replayproxy.store import Store

    stop = StopSignals()
    async with AsyncExitStack() as stack:
        session = Session(
            stack.enter_context(Store(db)),
            cassette=cassette,
            repeat=repeat,
            upstream_host=upstream.host if upstream else None,
        )
        player = Player(session, speed=speed, on_miss=lambda message: say(f"miss: {message}"))
        origin = Origin(player)
        port = await origin.start(*listen)
        stack.push_async_callback(origin.close)
        if upstream is None and importlib.util.find_spec("mitmproxy"):
            player.interceptor_port = await stack.enter_async_context(_interceptor(port))
        _introduce(db, listen[0], port, upstream)
        await stop.asked.wait()
    say(f"replayed {plural(session.hits, 'exchange')}, {plural(session.misses, 'miss', 'misses')}")


@asynccontextmanager
async def _interceptor(player_port: int) -> AsyncIterator[int]:
    """Mitmproxy for the clients that say CONNECT: it opens their TLS and asks the player."""
    from replayproxy import proxy

    replayer = proxy.load_addon("replayer").Replayer(player_port)
    async with proxy.running(
        [replayer],
        mode="regular",
        host="127.0.0.1",
        port=0,
        settings={"http2": False},  # mitmproxy runs but five streams of one HTTP/2 connection
        confdir=serving.confdir(),
    ) as server:
        yield server.port


def _introduce(db: Path, host: str, port: int, upstream: Upstream | None) -> None:
    say(f"replaying from {db}")
    path = upstream.path if upstream and upstream.path else "/v1 (or whatever path the API has)"
    say(f"base URL for clients: {url_of(host, port)}{path}")
    serving.say_listening("replay", host, port)
