"""What recording costs: `replayproxy record` against bare streaming mitmdump, side by side.

    python -m tests.benchmarks.recording_overhead [--rounds 5] [--json FILE]

Both are reverse proxies to the same upstream and take turns, so that a drifting
machine hits both alike; ratios of medians are what counts. "bare" is `mitmdump -q`
with its hook for streaming set and nothing stored. CPU is user and system time of
the proxy process.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.benchmarks import report
from tests.end_to_end.commands import Child, mitmdump, serving
from tests.end_to_end.upstream import STREAM_HEAD, Received, Script, Send, Upstream, chunk, plain
from tests.end_to_end.wire import post

PATH = "/v1/chat/completions"
EVENT = b'data: {"id":"1","model":"m","choices":[{"index":0,"delta":{"content":"word "}}]}\n\n'
EXCHANGES = 150
CHUNKS = 100
GAP_S = 0.005
_BARE = """
from mitmproxy import ctx

def running():
    host, port = ctx.master.addons.get("proxyserver").listen_addrs()[0][:2]
    print(f"listening at {host}:{port}", flush=True)

def responseheaders(flow):
    flow.response.stream = True
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """One figure of both, in one unit, and their ratio."""

    what: str
    bare: float
    recording: float

    @property
    def ratio(self) -> float:
        """Recording by bare."""
        return self.recording / self.bare


def main() -> None:
    """Measure, print, and write JSON if asked."""
    options = report.options(__doc__, rounds=5)
    with tempfile.TemporaryDirectory() as folder:
        costs = measure(Path(folder), options.rounds)
    print(f"{'':40} {'bare':>9} {'recording':>10} {'ratio':>6}")
    for cost in costs:
        print(f"{cost.what:40} {cost.bare:9.3f} {cost.recording:10.3f} {cost.ratio:6.2f}")
    report.write(options.json, [{**asdict(cost), "ratio": cost.ratio} for cost in costs])


def measure(folder: Path, rounds: int) -> list[Cost]:
    """Both proxies, in turns."""
    with Upstream(_script) as upstream, ExitStack() as stack:
        bare = stack.enter_context(_bare(upstream, folder))
        recording = stack.enter_context(
            serving("record", "--upstream", upstream.origin, cwd=folder)
        )
        measures: dict[str, Callable[[Child], float]] = {
            "CPU per short exchange, ms": _cpu_per_exchange,
            "CPU per paced chunk, ms": _cpu_per_chunk,
            "time to first chunk, ms": _first_chunk,
        }
        for child in (bare, recording):
            _cpu_per_exchange(child)  # warm
        return [
            _compare(what, figure, bare, recording, rounds) for what, figure in measures.items()
        ]


@contextmanager
def _bare(upstream: Upstream, folder: Path) -> Iterator[Child]:
    script = folder / "bare.py"
    script.write_text(_BARE)
    arguments = ("--quiet", "--set=flow_detail=0", f"--mode=reverse:{upstream.origin}")
    # its options are ours to set only where our addon is loaded
    with mitmdump("", *arguments, cwd=folder, script=script, settings=()) as child:
        yield child


def _compare(
    what: str, figure: Callable[[Child], float], bare: Child, recording: Child, rounds: int
) -> Cost:
    pairs = [(figure(bare), figure(recording)) for _ in range(rounds)]
    return Cost(
        what=what,
        bare=statistics.median(pair[0] for pair in pairs),
        recording=statistics.median(pair[1] for pair in pairs),
    )


def _cpu_per_exchange(child: Child) -> float:
    before = _cpu_s(child)
    for number in range(EXCHANGES):
        post(child.url + PATH, {"n": number})
    time.sleep(0.2)  # what the recorder still has to write is part of the price
    return (_cpu_s(child) - before) / EXCHANGES * 1000


def _cpu_per_chunk(child: Child) -> float:
    before = _cpu_s(child)
    for _ in range(3):
        post(child.url + PATH, {"stream": True})
    time.sleep(0.2)
    return (_cpu_s(child) - before) / (3 * CHUNKS) * 1000


def _first_chunk(child: Child) -> float:
    answers = [post(child.url + PATH, {"n": number}) for number in range(40)]
    return statistics.median(answer.times_s[0] for answer in answers) * 1000


def _cpu_s(child: Child) -> float:
    fields = Path(f"/proc/{child.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _script(request: Received) -> Script:
    if b"stream" not in request.body:
        return plain(b'{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}')
    events = [Send(chunk(EVENT), after_s=GAP_S) for _ in range(CHUNKS)]
    return [Send(STREAM_HEAD), *events, Send(b"0\r\n\r\n")]


if __name__ == "__main__":
    main()
