"""Whether a program's traffic really comes through us: it is run, and watched.

It runs as `record -- COMMAND` runs it, and really asks what it asks. What is recorded
goes into a file that is thrown away. What it prints goes to stderr: stdout is for findings.
"""

import asyncio
import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from replayproxy import launching
from replayproxy.address import is_loopback, url_of
from replayproxy.capture_modes import Entrance
from replayproxy.doctor import connections
from replayproxy.doctor.connections import Address
from replayproxy.doctor.finding import Finding, Level
from replayproxy.environment import proxy_variables
from replayproxy.environment.bundle import bundle
from replayproxy.home import ca_file, ca_folder, home
from replayproxy.recording import Policy
from replayproxy.stopping import StopSignals
from replayproxy.store import Store, Writer

if TYPE_CHECKING:
    from mitmproxy import http, tls

_LOOK_S = 0.02
_GRACE_S = 5.0
_WEB = {80, 443}


class _Watch:
    """A mitmproxy addon: who was asked, and who did not trust us."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.distrusted: Counter[str] = Counter()

    def request(self, flow: "http.HTTPFlow") -> None:
        self.asked[flow.request.pretty_host] += 1

    def tls_failed_client(self, data: "tls.TlsData") -> None:
        self.distrusted[data.conn.sni or "a host"] += 1


async def traffic(command: Sequence[str]) -> list[Finding]:
    """Run the command, and say what was seen.

    Raises:
        CommandError: it cannot be run.
    """
    from replayproxy import proxy

    watch, stop = _Watch(), StopSignals()
    with tempfile.TemporaryDirectory(prefix="replayproxy-") as folder:
        db = Path(folder) / "doctor.db"
        writer = Writer(db, policy=Policy())
        try:
            recorder = proxy.load_addon("recorder").Recorder(writer)
            async with proxy.running(
                [watch, recorder],
                entrances=[Entrance(mode="regular", address=("127.0.0.1", 0))],
                confdir=ca_folder(),
            ) as server:
                ours = ("127.0.0.1", server.port)
                authorities = bundle(ca_file(), folder=home(), inherited=os.environ)
                more = proxy_variables(url_of(*ours), authorities=authorities, inherited=os.environ)
                seen: set[Address] = set()
                looking = asyncio.create_task(_look(seen))
                code = await launching.run(command, {**os.environ, **more}, stop, stdout=2)
                looking.cancel()
                await stop.drained(recorder.idle, grace_s=_GRACE_S)
        finally:
            writer.close()
        with Store(db) as store:
            recorded = Counter(row["host"] for row in store.rows())
    return list(_findings(code, recorded, watch, seen - {ours}))


async def _look(seen: set[Address]) -> None:
    """Look where it is connected, again and again, until cancelled."""
    while True:
        seen |= await asyncio.to_thread(connections.of_children, os.getpid())
        await asyncio.sleep(_LOOK_S)


def _findings(
    code: int, recorded: Counter[str], watch: _Watch, direct: set[Address]
) -> Iterator[Finding]:
    if code:
        yield Finding(subject="command", level=Level.NOTE, text=f"it ended with {code}")
    for host, number in recorded.items():
        yield Finding(subject="traffic", text=f"LLM traffic to {host} came through ({number})")
    for host in watch.asked.keys() - recorded.keys():
        yield Finding(
            subject="traffic",
            level=Level.NOTE,
            text=f"{host} came through, and is no LLM API that we know: it is not recorded",
            todo=f"If it is one: record --record-hosts {host}",
        )
    for host in watch.distrusted:
        yield Finding(
            subject="traffic",
            level=Level.PROBLEM,
            text=f"the program does not trust our certificate for {host}",
            todo="Its client reads none of the usual variables: replayproxy ca trust tells how "
            "its store is made to trust it. Or lead it by its base URL: record --upstream URL.",
        )
    bypassing = sorted(a for a in direct if a[1] in _WEB or not is_loopback(a[0]))
    if bypassing:
        yield Finding(
            subject="traffic",
            level=Level.PROBLEM,
            text="it went out directly to " + ", ".join(f"{h}:{p}" for h, p in bypassing),
            todo="It obeys no proxy variable there. If that is an LLM API, lead it by its base "
            "URL: record --upstream URL -- ...",
        )
    for host, port in sorted(direct - set(bypassing)):
        yield Finding(
            subject="traffic",
            level=Level.NOTE,
            text=f"it was connected to {host}:{port} directly, past us",
            todo="Fine for a database. If that is an LLM server: record --upstream "
            f"http://{host}:{port} -- ...",
        )
    if not recorded and not watch.distrusted and not bypassing:
        yield Finding(
            subject="traffic",
            level=Level.PROBLEM,
            text="no LLM traffic came through",
            todo="Does it ask an LLM at all? It may read no proxy variables, or have a server of "
            "its own that was running before: lead it by its base URL, record --upstream URL.",
        )
