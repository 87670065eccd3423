"""`replayproxy replay`: answers from recordings, and never from upstream unless told so."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from functools import partial
from pathlib import Path

import click

from replayproxy.capture_modes import Entrance, entrances, named_upstreams
from replayproxy.cli import running, serving
from replayproxy.cli.entrances import check_exposure, introduce, mode_option
from replayproxy.cli.extras import require
from replayproxy.cli.options import (
    cassette_option,
    db_option,
    ignore_option,
    jitter_option,
    match_on_option,
    max_gap_option,
    no_replay_log_option,
    normalize_option,
    otel_cache_write_option,
    prices_option,
    repeat_option,
    speed_option,
    upstream_ca_option,
)
from replayproxy.cli.progress import progress
from replayproxy.cli.text import plural, say
from replayproxy.cli.totals import ReplayTotal
from replayproxy.errors import UsageError
from replayproxy.home import ca_folder
from replayproxy.listening import NEED_MITMPROXY, Ports, listening
from replayproxy.matching import MatchRules
from replayproxy.playback import Pace, Repeat, parse_pace
from replayproxy.pricing import PriceFile
from replayproxy.recording import Policy
from replayproxy.serving.forwarding import Forwarder, Outside
from replayproxy.serving.passthrough import Passthrough
from replayproxy.serving.player import Forward
from replayproxy.settings_file import match_rules
from replayproxy.store import Store, Writer


@click.command(context_settings=running.CONTEXT)
@db_option
@cassette_option
@running.run_options
@click.option(
    "--upstream",
    "upstreams",
    multiple=True,
    metavar="[/PREFIX=|PORT=]URL",
    help="The API that base-URL clients think they talk to, told as when recording: its "
    "recordings are preferred. Nothing is sent to it, unless --on-miss says so.",
)
@mode_option
@click.option(
    "--on-miss",
    type=click.Choice(["error", "record", "forward"]),
    default="error",
    show_default=True,
    help="What becomes of a request that was not recorded: a 404 that explains it; or it goes "
    "upstream, and is recorded into the cassette (for later replays), or not.",
)
@click.option(
    "--passthrough",
    "passthrough",
    multiple=True,
    metavar="HOST[:PORT]",
    help="Let traffic for this host out, untouched; its subdomains, too, and * is a wildcard. "
    "What is replayed stays in, unless it is named with its port.",
)
@upstream_ca_option
@prices_option
@speed_option
@max_gap_option
@jitter_option
@repeat_option
@ignore_option
@normalize_option
@match_on_option
@no_replay_log_option
@otel_cache_write_option
@serving.expose_option
def replay(
    *,
    db: Path,
    cassette: str,
    run: running.Run,
    listen: tuple[str, int],
    upstreams: tuple[str, ...],
    modes: tuple[str, ...],
    on_miss: str,
    passthrough: tuple[str, ...],
    upstream_ca: Path | None,
    prices: PriceFile | None,
    speed: str,
    max_gap: str,
    jitter: str,
    repeat: str,
    ignore: tuple[str, ...],
    normalize: tuple[str, ...],
    match_on: tuple[str, ...],
    no_replay_log: bool,
    otel_cache_write: str,
    expose: bool,
) -> None:
    """Answer requests from recordings: same bytes, same rhythm, no network.

    A request that was not recorded gets a 404 that names the closest recording
    and where it differs. No connection upstream is made, unless --on-miss asks
    for it. A COMMAND runs as it does without us, with proxy variables and our
    certificate authority set (with --base-url: base URLs), and placeholders for keys
    that are not set; its exit code is ours, or 1 if it did well with a miss.

    \b
    Examples:
      replayproxy replay -- ./app --its-own options
      replayproxy replay --speed instant --base-url -- pytest
    \b
    Around clients that run elsewhere:
      replayproxy replay
      OPENAI_BASE_URL=http://127.0.0.1:8080/v1 ./app
      eval "$(replayproxy env)"; ./app
    \b
    Record only what is new:
      replayproxy replay --on-miss record --upstream https://api.aigateway.sh
    """
    ways_in = entrances(listen, modes=modes, upstreams=upstreams)
    check_exposure(ways_in, expose=expose)
    if asked_for := sorted({entrance.mode for entrance in ways_in} & NEED_MITMPROXY):
        require("mitmproxy", feature=f"replayproxy replay --mode {asked_for[0]}", extra="proxy")
    if on_miss != "error":
        require("mitmproxy", feature=f"replayproxy replay --on-miss {on_miss}", extra="proxy")
    elif upstream_ca:
        raise UsageError("--upstream-ca is for upstreams, and a replay without --on-miss has none.")
    run.check()
    if run.command and not run.by_base_url:
        require("mitmproxy", feature="replay -- COMMAND without --base-url", extra="proxy")
    exit_code = serving.run(
        _replay(
            db=db,
            cassette=cassette,
            run=run,
            ways_in=ways_in,
            on_miss=on_miss,
            passthrough=passthrough,
            upstream_ca=upstream_ca,
            prices=prices,
            pace=parse_pace(speed=speed, max_gap=max_gap, jitter=jitter),
            repeat=Repeat(repeat),
            rules=match_rules(db, ignore=ignore, normalize=normalize, on=match_on),
            keep_log=not no_replay_log,
            otel_cache_write=otel_cache_write,
        )
    )
    raise SystemExit(exit_code)


async def _replay(
    *,
    db: Path,
    cassette: str,
    run: running.Run,
    ways_in: Sequence[Entrance],
    on_miss: str,
    passthrough: tuple[str, ...],
    upstream_ca: Path | None,
    prices: PriceFile | None,
    pace: Pace,
    repeat: Repeat,
    rules: MatchRules,
    keep_log: bool,
    otel_cache_write: str,
) -> int:
    """Serve until told to stop, or while a command runs; the exit code."""
    from replayproxy import replaying, storing
    from replayproxy.stopping import StopSignals

    stop = StopSignals()
    tally = ReplayTotal()
    exits = _exits(passthrough, db=db, cassette=cassette, ways_in=ways_in)
    async with AsyncExitStack() as stack:
        forward = None
        if on_miss != "error":
            storage = None
            if on_miss == "record":
                storage = storing.opened(
                    db, policy=Policy(), prices=prices, cache_write=otel_cache_write
                )
            forward = await stack.enter_async_context(_live(storage, cassette, upstream_ca))
        with progress("Making match keys for these rules") as on_progress:
            player, session = stack.enter_context(
                replaying.opened(
                    db,
                    cassette=cassette,
                    repeat=repeat,
                    pace=pace,
                    rules=rules,
                    keep_log=keep_log,
                    on_played=tally.add,
                    cache_write=otel_cache_write,
                    on_progress=on_progress,
                    forward=forward,
                    exits=exits,
                )
            )
        opened = await stack.enter_async_context(listening(player, ways_in, exits))
        ready = running.ready_to(
            "replay",
            ways_in,
            opened.addresses,
            takes_all=opened.opens_tls,
            db=db,
            cassette=cassette,
        )
        introduced = partial(_introduce, db, ways_in, opened)
        code = await running.until_over(run, ready, stop, introduce=introduced)
    if run.command and not tally.asked:
        running.say_nothing_came(run)
    else:
        say(tally.summary(by_rules=session.normalized))
    return code or (1 if run.command and tally.misses else 0)


@asynccontextmanager
async def _live(
    storage: AbstractContextManager[Writer] | None,
    cassette: str,
    upstream_ca: Path | None,
) -> AsyncIterator[Forward]:
    """The way upstream, for misses; with a storage they are recorded."""
    from replayproxy import proxy

    with storage or nullcontext() as writer:
        recorders = []
        if writer:
            make = proxy.load_addon("recorder").Recorder
            # whatever was not found shall be found the next time
            recorders.append(make(writer, cassette=cassette, records=lambda host, path: True))
        async with proxy.running(
            recorders,
            entrances=[Entrance(mode="regular", address=("127.0.0.1", 0))],
            confdir=ca_folder(),
            upstream_ca=upstream_ca,
        ) as server:
            yield Forwarder(
                proxy_port=server.port,
                passed_on="recorded" if writer else "forwarded",
            )
    if writer and writer.not_recorded:
        say(f"{plural(writer.not_recorded, 'exchange')} NOT recorded (see above)")


def _exits(
    named: tuple[str, ...], *, db: Path, cassette: str, ways_in: Sequence[Entrance]
) -> Outside | None:
    """The servers that were named; those that are replayed are none of them."""
    if not named:
        return None
    with Store(db) as store:
        replayed = store.origins(cassette=cassette)
    replayed += [(upstream.host, upstream.port) for upstream in named_upstreams(ways_in)]
    return Outside(Passthrough.parse(named, replayed=replayed))


def _introduce(db: Path, ways_in: Sequence[Entrance], opened: Ports) -> None:
    say(f"replaying from {db}")
    introduce(
        "replay",
        ways_in,
        opened.addresses,
        wireguard=opened.wireguard,
        takes_all=True,
        opens_tls=opened.opens_tls,
    )
