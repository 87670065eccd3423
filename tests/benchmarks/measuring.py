"""How the benchmarks measure: CPU of other processes, pairs in turns, percentiles."""

import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path


def cpu_s(pid: int) -> float:
    """User and system time of a process so far, to the nanosecond (Linux).

    The clock of another process, as clock_getcpuclockid(3) makes its id:
    /proc/PID/stat counts in steps of 10 ms, as much as a hundred chunks take.
    """
    return time.clock_gettime((~pid << 3) | 2)


def resident_mb(pid: int) -> float:
    """Memory of a process now."""
    status = Path(f"/proc/{pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) / 1024


def in_turns(
    ours: Callable[[], float], reference: Callable[[], float], rounds: int
) -> list[tuple[float, float]]:
    """Both measured so many times, in turns, so that a drifting machine hits both alike."""
    pairs = []
    for number in range(rounds):
        if number % 2:
            second = reference()
            pairs.append((ours(), second))
        else:
            first = ours()
            pairs.append((first, reference()))
    return pairs


def percentile(values: Sequence[float], percent: int) -> float:
    """Nearest rank: the smallest value that at least so many percent do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


median = statistics.median
