"""`replayproxy record`: a proxy that records what passes."""

import gc
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from replayproxy.capture_modes import Entrance, entrances, named_upstreams
from replayproxy.cli import running, serving
from replayproxy.cli.entrances import (
    check_exposure,
    introduce,
    mode_option,
    upstream_auth_option,
)
from replayproxy.cli.extras import require
from replayproxy.cli.options import (
    cassette_option,
    db_option,
    estimate_usage_option,
    no_bodies_option,
    otel_cache_write_option,
    prices_option,
    record_hosts_option,
    record_paths_option,
    tag_header_option,
    upstream_ca_option,
)
from replayproxy.cli.replacing import Replacement
from replayproxy.cli.rules import Age, PruneOptions, prune_options
from replayproxy.cli.text import byte_count, plural, say
from replayproxy.cli.totals import RecordTotal
from replayproxy.errors import UsageError
from replayproxy.home import ca_folder
from replayproxy.key_shapes import KeyTally
from replayproxy.pricing import PriceFile
from replayproxy.recording import Policy
from replayproxy.traffic import records_matching


@click.command(context_settings=running.CONTEXT)
@db_option
@cassette_option
@running.run_options
@click.option(
    "--upstream",
    "upstreams",
    multiple=True,
    metavar="[/PREFIX=|PORT=]URL",
    help="The API to record: clients use our address as their base URL. Several have a path "
    "prefix each, or a port each. Without any we are a forward proxy (HTTPS_PROXY).",
)
@mode_option
@upstream_ca_option
@upstream_auth_option
@click.option(
    "--grace",
    type=click.FloatRange(min=0),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="How long running streams may go on after Ctrl-C or SIGTERM.",
)
@click.option(
    "--rerecord",
    is_flag=True,
    help="Replace the cassette: what it holds now goes at the end, if this run was recorded.",
)
@record_hosts_option
@record_paths_option
@tag_header_option
@no_bodies_option
@estimate_usage_option
@prices_option
@otel_cache_write_option
@prune_options(prefix="prune-", verb="While recording, delete")
@serving.expose_option
def record(
    *,
    db: Path,
    cassette: str,
    run: running.Run,
    listen: tuple[str, int],
    upstreams: tuple[str, ...],
    modes: tuple[str, ...],
    upstream_ca: Path | None,
    upstream_auth: str | None,
    grace: float,
    rerecord: bool,
    record_hosts: str,
    record_paths: str,
    tag_header: str,
    no_bodies: bool,
    estimate_usage: bool,
    prices: PriceFile | None,
    otel_cache_write: str,
    prune_older_than: Age | None,
    prune_keep: int | None,
    prune_max_size: int | None,
    expose: bool,
) -> None:
    """Record LLM traffic into a SQLite file: of a COMMAND, or of whoever comes.

    A COMMAND runs as it does without us, with proxy variables and our certificate
    authority set (with --upstream: base URLs); its exit code is ours. The traffic is
    not changed, delayed or held up, whatever becomes of the recording. Without a
    COMMAND Ctrl-C ends it. The exit code is 1 if something was not recorded, though
    the COMMAND did well.

    The --prune options are about exchanges of the same cassette only, and so is
    --rerecord: the old ones stay if the run is killed, recorded no good answer, or
    lost an exchange (exit code 1).

    \b
    Examples:
      replayproxy record -- ./app --its-own options
      replayproxy record --cassette tests --rerecord -- pytest
      replayproxy record --upstream https://api.aigateway.sh -- ./app
    \b
    Around clients that run elsewhere:
      replayproxy record --upstream https://api.aigateway.sh
      OPENAI_BASE_URL=http://127.0.0.1:8080/v1 ./app
    \b
      replayproxy record
      eval "$(replayproxy env)"; ./app
    \b
    Several ways in at once:
      replayproxy record --upstream /openai=https://api.openai.com --mode socks5
      OPENAI_BASE_URL=http://127.0.0.1:8080/openai/v1 ./app
    """
    require("mitmproxy", feature="replayproxy record", extra="proxy")
    if rerecord and no_bodies:
        raise UsageError(
            "--rerecord would replace recordings by some that cannot be replayed (--no-bodies). "
            "Leave one of the two out."
        )
    ways_in = entrances(listen, modes=modes, upstreams=upstreams)
    check_exposure(ways_in, expose=expose)
    named_hosts = {upstream.host for upstream in named_upstreams(ways_in)}
    run.check(needs_url=not any(entrance.routes for entrance in ways_in))
    exit_code = serving.run(
        _record(
            db=db,
            cassette=cassette,
            run=run,
            ways_in=ways_in,
            upstream_ca=upstream_ca,
            upstream_auth=upstream_auth,
            expose=expose,
            grace_s=grace,
            rerecord=rerecord,
            records=records_matching(record_hosts, record_paths, all_of=named_hosts),
            policy=Policy(
                tag_header=tag_header, keep_bodies=not no_bodies, estimate_usage=estimate_usage
            ),
            prices=prices,
            otel_cache_write=otel_cache_write,
            pruning=PruneOptions(
                older_than=prune_older_than,
                keep=prune_keep,
                max_bytes=prune_max_size,
                cassette=cassette,
            ),
        )
    )
    raise SystemExit(exit_code)


async def _record(
    *,
    db: Path,
    cassette: str,
    run: running.Run,
    ways_in: Sequence[Entrance],
    upstream_ca: Path | None,
    upstream_auth: str | None,
    expose: bool,
    grace_s: float,
    rerecord: bool,
    records: Callable[[str, str], bool],
    policy: Policy,
    prices: PriceFile | None,
    otel_cache_write: str,
    pruning: PruneOptions,
) -> int:
    """Serve until told to stop, or while a command runs; the exit code."""
    from replayproxy import proxy, storing
    from replayproxy.stopping import StopSignals
    from replayproxy.store import Upkeep

    stop = StopSignals()
    total = RecordTotal()
    upkeep = Upkeep(db, lambda: pruning.at(datetime.now(UTC))) if pruning else None
    with storing.opened(
        db,
        policy=policy,
        prices=prices,
        cache_write=otel_cache_write,
        upkeep=upkeep,
        on_stored=total.add,
    ) as writer:
        replacement = Replacement(db, cassette) if rerecord else None
        if writer.interrupted_before:
            left = plural(writer.interrupted_before, "exchange")
            say(f"{left} of a recorder that was killed: marked interrupted")
        recorder = proxy.load_addon("recorder").Recorder(writer, cassette=cassette, records=records)
        async with proxy.running(
            [recorder],
            entrances=ways_in,
            confdir=ca_folder(),
            expose=expose,
            upstream_ca=upstream_ca,
            upstream_auth=upstream_auth,
        ) as server:
            _settle()
            ready = running.ready_to(
                "record",
                ways_in,
                server.addresses,
                takes_all=False,
                db=db,
                cassette=cassette,
            )

            def introduced() -> None:
                say(f"recording into {db}")
                settings = server.wireguard_settings()
                introduce("record", ways_in, server.addresses, wireguard=settings)

            code = await running.until_over(run, ready, stop, introduce=introduced)
            await server.stop_accepting()
            await stop.drained(recorder.idle, grace_s=grace_s)
    if writer.keys.exchanges:
        say(_report(writer.keys))
    if upkeep and upkeep.exchanges:
        freed = byte_count(upkeep.bytes_freed)
        say(f"pruned {plural(upkeep.exchanges, 'exchange')}; {freed} given back")
    if run.command and not writer.recorded and not writer.not_recorded:
        running.say_nothing_came(run)
    else:
        say(total.summary(db, writer.recorded, writer.not_recorded))
    replaced = replacement is None or replacement.finish(
        good=total.good, not_recorded=writer.not_recorded
    )
    return code or (0 if replaced and not writer.not_recorded else 1)


def _settle() -> None:
    """Have done by now what would hold up traffic later.

    What is in memory stays there: looking through all of it again and again for
    garbage is a pause of tens of milliseconds for every stream. And what is new can
    wait a little: most of it is gone by itself before ten thousand objects are there.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)


def _report(keys: KeyTally) -> str:
    hold = "holds" if keys.exchanges == 1 else "hold"
    kinds = ", ".join(sorted(keys.kinds))
    return (
        f"{plural(keys.exchanges, 'exchange')} {hold} what looks like API keys "
        f"in request or response bodies ({kinds}): they are stored as they are"
    )
