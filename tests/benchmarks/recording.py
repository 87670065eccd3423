"""What recording costs, beside bare mitmdump, which streams and keeps nothing."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

from replayproxy.shipped import addons_path
from tests.benchmarks.effort import Effort
from tests.benchmarks.figures import Figure, Report, Target, of_pairs
from tests.benchmarks.load import Way, ask, connected, short, stream, stream_all
from tests.benchmarks.measuring import cpu_s, in_turns, median, percentile
from tests.benchmarks.servers import bare_mitmdump, upstream
from tests.end_to_end.commands import Child, serving

_WRITTEN_S = 0.25
"""Until what was recorded is in the file, too: that is part of the price."""

_LATE_MS = 20.0
_STREAMS = [round(40 * 1.12**step) for step in range(24)]
"""How many streams at once are tried: 40 to 540."""


def measure(effort: Effort, folder: Path) -> Report:
    """Recorder, plain addon and bare mitmdump, all in front of one upstream."""
    with ExitStack() as stack:
        origin = stack.enter_context(upstream())
        reverse = f"--mode=reverse:{origin}"
        bare = stack.enter_context(bare_mitmdump(reverse, cwd=folder))
        recorder = stack.enter_context(serving("record", "--upstream", origin, cwd=folder))
        addon = stack.enter_context(
            bare_mitmdump(
                reverse,
                f"--scripts={addons_path('recorder.py')}",
                f"--set=replayproxy_db={folder / 'addon.db'}",
                cwd=folder,
            )
        )
        for child in (bare, recorder, addon):
            cpu_per_exchange(child, 20)  # warm
        return Report(figures=list(_figures(effort, bare, recorder, addon, origin)))


def _figures(
    effort: Effort, bare: Child, recorder: Child, addon: Child, origin: str
) -> Iterator[Figure]:
    def compared(
        what: str, ours: Child, figure: Callable[[Child], float], limit: float | None
    ) -> Figure:
        return of_pairs(
            what,
            in_turns(lambda: figure(ours), lambda: figure(bare), effort.rounds(5)),
            against="bare mitmdump",
            target=None if limit is None else Target(limit=limit),
        )

    exchanges, streams = effort.of(200, 5), effort.of(20, 2)
    per_exchange = lambda child: cpu_per_exchange(child, exchanges)  # noqa: E731
    per_chunk = lambda child: cpu_per_chunk(child, streams, effort.gap_ms)  # noqa: E731
    yield compared("record: CPU per short exchange, us", recorder, per_exchange, 0.70)
    yield compared(f"record: CPU per chunk of {streams} streams, us", recorder, per_chunk, 0.90)
    lone = lambda child: cpu_per_chunk(child, 1, effort.gap_ms)  # noqa: E731
    yield compared("record: CPU per chunk of a lone stream, us", recorder, lone, None)
    direct_ms = _first_byte_ms(origin, exchanges)
    added = lambda child: max(0.001, _first_byte_ms(child.url, exchanges) - direct_ms)  # noqa: E731
    yield compared("record: added time to first byte, ms", recorder, added, 0.65)
    yield compared("addon in mitmdump: CPU per exchange, us", addon, per_exchange, 1.15)
    yield compared("addon in mitmdump: CPU per chunk, us", addon, per_chunk, 1.15)
    yield of_pairs(
        f"record: live streams with p99 delay < {_LATE_MS:.0f} ms",
        in_turns(
            lambda: _most_streams(recorder, effort),
            lambda: _most_streams(bare, effort),
            effort.rounds(3),
        ),
        against="bare mitmdump",
        target=Target(limit=1.4, at_least=True),
    )


def cpu_per_exchange(child: Child, count: int) -> float:
    """Microseconds of its CPU for a short exchange on a kept connection."""
    with connected(Way(child.url)) as connection:
        ask(connection, short(0))
        before_s = cpu_s(child.process.pid)
        for number in range(count):
            ask(connection, short(number))
        time.sleep(_WRITTEN_S)
        return (cpu_s(child.process.pid) - before_s) / count * 1e6


def cpu_per_chunk(child: Child, streams: int, gap_ms: float, *, chunks: int = 100) -> float:
    """Microseconds of its CPU for a chunk of streams that run side by side."""
    before_s = cpu_s(child.process.pid)
    messages = [[stream(number, chunks=chunks, gap_ms=gap_ms)] for number in range(streams)]
    stream_all(Way(child.url), messages, over_s=0.2)
    time.sleep(_WRITTEN_S)
    return (cpu_s(child.process.pid) - before_s) / (streams * chunks) * 1e6


def _first_byte_ms(url: str, count: int) -> float:
    with connected(Way(url)) as connection:
        ask(connection, short(0))
        return median(ask(connection, short(number))[0] for number in range(count)) * 1e3


def _most_streams(child: Child, effort: Effort) -> float:
    """How many live streams it carries before the delay of their chunks is felt."""
    steps = effort.of(_STREAMS, [1, 2])
    first, beyond = 0, len(steps)
    while beyond - first > 1:
        middle = (first + beyond) // 2
        if _p99_delay_ms(child, steps[middle], effort.of(75, 5)) < _LATE_MS:
            first = middle
        else:
            beyond = middle
    return steps[first]


def _p99_delay_ms(child: Child, streams: int, chunks: int) -> float:
    messages = [[stream(number, chunks=chunks, gap_ms=20, stamp=True)] for number in range(streams)]
    streamed = stream_all(Way(child.url), messages, over_s=chunks * 0.02 / 3)
    # those of the beginning tell about connecting, and not yet of all
    delays = [delay for one in streamed for delay in one.delays_ms()[chunks // 3 :]]
    return percentile(delays, 99)
