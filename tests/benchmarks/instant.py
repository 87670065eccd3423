"""Replays without waiting: how many a second, and what each costs.

All replay one recorded 100-chunk stream again and again on a kept connection. The rate
holds the client's time too, the same for all but vcrpy, which is its own client.
"""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

from mitmproxy.http import HTTPFlow
from mitmproxy.io import FlowReader, FlowWriter

from tests.benchmarks.effort import Effort
from tests.benchmarks.figures import Figure, Report, Target, of_pairs
from tests.benchmarks.load import HOST, PATH, Way, ask, connected, stream, stream_all
from tests.benchmarks.measuring import cpu_s, in_turns
from tests.benchmarks.peers import (
    AIMOCK_SERVER,
    MITMDUMP_S,
    VCRPY,
    Running,
    Server,
    UnavailableError,
    environment,
    running,
)
from tests.benchmarks.servers import upstream
from tests.end_to_end.commands import serving

_MESSAGE = stream(chunks=100)
_CONNECTIONS = 8


def measure(effort: Effort, folder: Path) -> Report:
    """Ours, base URL and intercepted, beside mitmdump -S, aimock and vcrpy."""
    with ExitStack() as stack:
        origin = stack.enter_context(upstream())
        with serving("record", "--upstream", origin, cwd=folder) as recorder:
            _ask_once(Way(recorder.url))
        replay = serving("replay", "--speed", "instant", "--no-replay-log", cwd=folder)
        child = stack.enter_context(replay)
        player = Running(child.url, child.process.pid)
        return Report(figures=list(_figures(effort, folder, stack, origin, player)))


def _figures(
    effort: Effort, folder: Path, stack: ExitStack, origin: str, player: Running
) -> Iterator[Figure]:
    count, rounds = effort.of(300, 5), effort.rounds(5)
    base, ca = Way(player.url), folder / "home" / "mitmproxy-ca-cert.pem"
    mitmdump = _started(MITMDUMP_S, folder / "mitmdump", origin, stack)
    yield of_pairs(
        "instant: CPU per 100-chunk stream, base URL, us",
        in_turns(
            lambda: _cpu_us(player, base, count),
            lambda: _cpu_us(mitmdump, Way(mitmdump.url), count),
            rounds,
        ),
        against=MITMDUMP_S.name,
        target=Target(limit=0.20),
    )
    _mean_https(folder / "mitmdump" / "flows")
    proxy = _started(MITMDUMP_S, folder / "mitmdump", "", stack)
    proxy_ca = folder / "mitmdump" / "home" / "mitmproxy-ca-cert.pem"
    yield of_pairs(
        "instant: CPU per 100-chunk stream, intercepted TLS, us",
        in_turns(
            lambda: _cpu_us(player, Way(player.url, ca), count),
            lambda: _cpu_us(proxy, Way(proxy.url, proxy_ca), count),
            rounds,
        ),
        against=MITMDUMP_S.name,
        target=Target(limit=0.60),
    )
    yield _rates("1 connection", _rate(base, 1, count), _rate(Way(mitmdump.url), 1, count), effort)
    many = f"{_CONNECTIONS} connections"
    yield _rates(
        many,
        _rate(base, _CONNECTIONS, count),
        _rate(Way(mitmdump.url), _CONNECTIONS, count),
        effort,
    )
    for connections, what in ((1, "1 connection"), (_CONNECTIONS, many)):
        try:
            AIMOCK_SERVER.package.install(effort)  # type: ignore[union-attr]
            aimock = _started(AIMOCK_SERVER, folder / f"aimock{connections}", origin, stack)
            yield _rates(
                what,
                _rate(base, connections, count),
                _rate(Way(aimock.url), connections, count),
                effort,
                against="aimock",
                target=Target(limit=5, at_least=True),
            )
        except UnavailableError as error:
            yield Figure(
                what=f"instant: streams a second, {what}", against="aimock", note=str(error)
            )
    try:
        VCRPY.install(effort)
        yield _rates(
            "1 connection",
            _rate(base, 1, count),
            lambda: _vcrpy_rate(origin, folder, count),
            effort,
            against="vcrpy, in the client's process",
            target=Target(limit=1, at_least=True),
        )
    except UnavailableError as error:
        yield Figure(what="instant: streams a second", against="vcrpy", note=str(error))


def _rates(
    how: str,
    ours: Callable[[], float],
    others: Callable[[], float],
    effort: Effort,
    *,
    against: str = MITMDUMP_S.name,
    target: Target | None = None,
) -> Figure:
    return of_pairs(
        f"instant: streams a second, {how}",
        in_turns(ours, others, effort.rounds(3)),
        against=against,
        target=target,
    )


def _started(server: Server, folder: Path, origin: str, stack: ExitStack) -> Running:
    """A peer that has recorded the stream of this origin (or before) and replays it."""
    if not folder.exists():
        folder.mkdir()
        with running(lambda port: server.record(port, folder, origin), folder) as recorder:
            _ask_once(Way(recorder.url))
    return stack.enter_context(running(lambda port: server.replay(port, folder, origin), folder))


def _mean_https(path: Path) -> None:
    """Turn recorded flows into those of an intercepted client: they must be the same here."""
    with path.open("rb") as file:
        flows = [flow for flow in FlowReader(file).stream() if isinstance(flow, HTTPFlow)]
    with path.open("wb") as file:
        for flow in flows:
            flow.request.scheme, flow.request.host, flow.request.port = "https", HOST, 443
            FlowWriter(file).add(flow)


def _ask_once(way: Way) -> None:
    with connected(way) as connection:
        ask(connection, _MESSAGE)


def _cpu_us(server: Running, way: Way, count: int) -> float:
    with connected(way) as connection:
        ask(connection, _MESSAGE)
        before_s = cpu_s(server.pid)
        for _ in range(count):
            ask(connection, _MESSAGE)
        return (cpu_s(server.pid) - before_s) / count * 1e6


def _rate(way: Way, connections: int, count: int) -> Callable[[], float]:
    def measured() -> float:
        if connections == 1:
            with connected(way) as connection:
                ask(connection, _MESSAGE)
                start_s = time.perf_counter()
                for _ in range(count):
                    ask(connection, _MESSAGE)
                return count / (time.perf_counter() - start_s)
        each = [_MESSAGE] * (count // connections + 1)
        start_s = time.perf_counter()
        streams = stream_all(way, [each] * connections)
        return len(streams) / (time.perf_counter() - start_s)

    return measured


def _vcrpy_rate(origin: str, folder: Path, count: int) -> float:
    client = str(Path(__file__).with_name("vcr_client.py"))
    cassette = str(folder / "cassette.yaml")
    done = subprocess.run(
        [VCRPY.program("python"), client, "rate", cassette, origin + PATH, str(count)],
        env=environment(),
        input=_MESSAGE.partition(b"\r\n\r\n")[2],
        check=True,
        capture_output=True,
        timeout=120,
    )
    return float(json.loads(done.stdout))
