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
    ignore_option,
    listen_option,
    match_on_option,
    no_replay_log_option,
    normalize_option,
    repeat_option,
    speed_option,
)
from replayproxy.cli.progress import progress
from replayproxy.cli.text import plural, say
from replayproxy.matching import MatchRules
from replayproxy.playback import Repeat
from replayproxy.player import Played
from replayproxy.settings_file import match_rules


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
@ignore_option
@normalize_option
@match_on_option
@no_replay_log_option
@serving.expose_option
def replay(
    *,
    db: Path,
    cassette: str,
    listen: tuple[str, int],
    upstream: str | None,
    speed: float,
    repeat: str,
    ignore: tuple[str, ...],
    normalize: tuple[str, ...],
    match_on: tuple[str, ...],
    no_replay_log: bool,
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
            db=db,
            cassette=cassette,
            listen=listen,
            upstream=to,
            speed=speed,
            repeat=Repeat(repeat),
            rules=match_rules(db, ignore=ignore, normalize=normalize, on=match_on),
            keep_log=not no_replay_log,
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
    rules: MatchRules,
    keep_log: bool,
) -> None:
    from replayproxy import replaying
    from replayproxy.origin import Origin
    from replayproxy.stopping import StopSignals

    stop = StopSignals()
    async with AsyncExitStack() as stack:
        with progress("Making match keys for these rules") as on_progress:
            player, session = stack.enter_context(
                replaying.opened(
                    db,
                    cassette=cassette,
                    repeat=repeat,
                    speed=speed,
                    rules=rules,
                    upstream_host=upstream.host if upstream else None,
                    keep_log=keep_log,
                    on_played=_say_misses,
                    on_progress=on_progress,
                )
            )
        origin = Origin(player)
        port = await origin.start(*listen)
        stack.push_async_callback(origin.close)
        if upstream is None and importlib.util.find_spec("mitmproxy"):
            player.interceptor_port = await stack.enter_async_context(_interceptor(port))
        _introduce(db, listen[0], port, upstream)
        await stop.asked.wait()
    by_rules = f" ({session.normalized} by rules)" if session.normalized else ""
    misses = plural(session.misses, "miss", "misses")
    say(f"replayed {plural(session.hits, 'exchange')}{by_rules}, {misses}")


def _say_misses(played: Played) -> None:
    if played.miss:
        say(f"miss: {played.message}")


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
