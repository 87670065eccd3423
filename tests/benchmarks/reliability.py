"""What faults cost: the app when the disk is slow (F5), the recording when it is killed (F1)."""

import signal
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from replayproxy.store import Store
from tests.benchmarks.effort import Effort
from tests.benchmarks.figures import Figure, Report, Target
from tests.benchmarks.load import Way, ask, connected, short, stream, stream_all
from tests.benchmarks.measuring import percentile
from tests.benchmarks.servers import upstream
from tests.end_to_end.commands import COMMAND, Child, run, serving

_COMMIT_S = 0.2
# a commit that waits for its disk, as SQLite does: without holding the interpreter
_ON_A_SLOW_DISK = f"""
import sqlite3, time
from replayproxy.cli import main

connect = sqlite3.connect

class Slow(sqlite3.Connection):
    def commit(self):
        time.sleep({_COMMIT_S})
        super().commit()

sqlite3.connect = lambda *given, **named: connect(*given, **{{"factory": Slow, **named}})
main()
"""
_STREAMS = 20
_GAP_MS = 20


def measure(effort: Effort, folder: Path) -> Report:
    """Both, in front of one upstream."""
    with upstream() as origin:
        return Report(
            figures=[_slow_disk(effort, folder, origin), *_killed(effort, folder, origin)]
        )


def _slow_disk(effort: Effort, folder: Path, origin: str) -> Figure:
    delays = {}
    slow = [sys.executable, "-c", _ON_A_SLOW_DISK]
    for name, command in {"slow": slow, "as it is": list(COMMAND)}.items():
        (place := folder / name).mkdir()
        arguments = ["record", "--upstream", origin, "--listen", "127.0.0.1:0"]
        child = Child([*command, *arguments], cwd=place, announces="listening on ")
        try:
            with connected(Way(child.url)) as connection:
                ask(connection, short(0))  # warm
            messages = [
                [stream(number, chunks=effort.of(150, 5), gap_ms=_GAP_MS, stamp=True)]
                for number in range(_STREAMS)
            ]
            streamed = stream_all(Way(child.url), messages, over_s=0.5)
        finally:
            child.stop()
        delays[name] = percentile([ms for one in streamed for ms in one.delays_ms()], 99)
    added = max(0.0, delays["slow"] - delays["as it is"])
    return Figure(
        what=f"disk with {_COMMIT_S * 1000:.0f} ms a commit: added delay of a chunk, p99, ms",
        ours=added,
        note=f"p99 {delays['slow']:.1f} ms, without {delays['as it is']:.1f} ms",
        target=Target(limit=20, absolute=True),
    )


def _killed(effort: Effort, folder: Path, origin: str) -> Iterator[Figure]:
    lost: list[float] = []
    for number in range(effort.rounds(5)):
        (place := folder / f"killed {number}").mkdir()
        lost += _lost_ms(place, origin, after_s=effort.of(1.0, 0.3) + number * 0.017)
    yield Figure(
        what=f"kill -9 while {_STREAMS} streams record: lost at most, ms",
        ours=max(lost),
        note=f"of {len(lost)} streams",
        target=Target(limit=150, absolute=True),
    )


def _lost_ms(folder: Path, origin: str, *, after_s: float) -> list[float]:
    """Of each stream: from the last chunk that is in the file to the last that the client saw."""
    messages = [[stream(number, chunks=500, gap_ms=_GAP_MS)] for number in range(_STREAMS)]
    with serving("record", "--upstream", origin, cwd=folder) as recorder:
        streamed = stream_all(
            Way(recorder.url),
            messages,
            cut=(after_s, lambda: recorder.stop(signal.SIGKILL)),
        )
    with serving("record", "--upstream", origin, cwd=folder):
        pass  # its start marks what was killed
    assert run("list", cwd=folder).returncode == 0
    with closing(Store(folder / "replayproxy.db")) as store:
        kept = {
            store.exchange(row["id"]).request.body: store.chunk_table(row["id"])
            for row in store.rows()
        }
    lost = []
    for (message,), seen in zip(messages, streamed, strict=True):
        table = kept.get(message.partition(b"\r\n\r\n")[2], [])
        if not (times_ms := seen.chunk_times_ms()):
            continue  # it was killed before anything came
        # chunk by chunk, so that the clocks of two processes need not agree
        known = min(len(table), len(times_ms))
        lost.append(times_ms[-1] - times_ms[known - 1] if known else times_ms[-1])
    return lost
