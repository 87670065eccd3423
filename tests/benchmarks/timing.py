"""How late the chunks of many streams at once are, beside a live server that sends the same.

The error of a chunk is how far from its recorded offset (live: from its place in the
plan) the client reads it, since it sent the request; so it holds the client's own
lateness, which is the same for all.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from tests.benchmarks.effort import Effort
from tests.benchmarks.figures import Figure, Report, Target
from tests.benchmarks.load import Way, stream, stream_all
from tests.benchmarks.measuring import median, percentile
from tests.benchmarks.servers import upstream
from tests.end_to_end.commands import serving, shown

_AT_ONCE = (1, 50, 200)
_GAP_MS = 20
_TARGETS_MS = {  # of the player at 200 streams, through interception at 50
    ("base URL", 200, "p50"): 0.15,
    ("base URL", 200, "p99"): 1.5,
    ("intercepted TLS", 50, "p99"): 5.0,
}


def measure(effort: Effort, folder: Path) -> Report:
    """The player, both ways in, and the upstream live, at each number of streams."""
    chunks = effort.of(100, 5)
    message = stream(chunks=chunks, gap_ms=_GAP_MS)
    with ExitStack() as stack:
        origin = stack.enter_context(upstream())
        with serving("record", "--upstream", origin, cwd=folder) as recorder:
            stream_all(Way(recorder.url), [[message]])
        recorded = [chunk["offset_ns"] / 1e6 for chunk in shown(1, folder)["chunks"]]
        player = stack.enter_context(serving("replay", "--no-replay-log", cwd=folder))
        ca = folder / "home" / "mitmproxy-ca-cert.pem"
        ways = {
            "base URL": (Way(player.url), recorded),
            "intercepted TLS": (Way(player.url, ca), recorded),
            "live": (Way(origin), [number * _GAP_MS for number in range(chunks)]),
        }
        return Report(figures=list(_figures(effort, ways, message)))


def _figures(
    effort: Effort, ways: dict[str, tuple[Way, list[float]]], message: bytes
) -> Iterator[Figure]:
    for at_once in effort.of(_AT_ONCE, (1, 2)):
        found: dict[str, list[list[float]]] = {name: [] for name in ways}
        for number in range(effort.rounds(3)):
            # in turns, each round beginning with another
            names = [*ways][number % len(ways) :] + [*ways][: number % len(ways)]
            for name in names:
                way, due_ms = ways[name]
                found[name].append(_errors_ms(way, due_ms, message, at_once))
        for name in ways:
            if name == "live":
                continue
            for which, percent in (("p50", 50), ("p99", 99)):
                limit = _TARGETS_MS.get((name, at_once, which))
                ours = median(percentile(errors, percent) for errors in found[name])
                live = median(percentile(errors, percent) for errors in found["live"])
                yield Figure(
                    what=f"replay, {at_once} at once, {name}: timing error {which}, ms",
                    ours=ours,
                    reference=live,
                    ratio=ours / live,
                    target=None if limit is None else Target(limit=limit, absolute=True),
                    against="the upstream, live",
                )


def _errors_ms(way: Way, due_ms: list[float], message: bytes, at_once: int) -> list[float]:
    streamed = stream_all(way, [[message]] * at_once, over_s=0.5)
    return [
        abs(seen - due)
        for one in streamed
        for seen, due in zip(one.chunk_times_ms(), due_ms, strict=True)
    ]
