"""The dashboard on a large database: what each page takes, and while somebody records."""

import re
import sqlite3
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from replayproxy.store import Writer
from tests.benchmarks import ninety_days
from tests.benchmarks.effort import Effort
from tests.benchmarks.figures import Figure, Report, Target
from tests.benchmarks.measuring import median, percentile
from tests.dashboards.sample import Said, record
from tests.dashboards.site import HOME
from tests.end_to_end.commands import serving

_PER_S = 200
_PAGES = {
    "overview, 30 days": (f"{HOME}?range=30d", 300),
    "overview, 90 days": (f"{HOME}?range=90d", None),
    "overview, all": (f"{HOME}?range=all", None),
    "overview, 24 hours": (f"{HOME}?range=24h", 300),
    "overview, 30 days of one model": (f"{HOME}?range=30d&model=gpt-5", 300),
    "table with facets": ("/replayproxy/exchanges", 400),
    "table of one model with facets": ("/replayproxy/exchanges?request_model=gpt-5", 400),
    "one exchange": (f"{HOME}/exchange/7", 100),
}
"""Each page, and how many milliseconds it may take."""


def measure(effort: Effort, folder: Path) -> Report:
    """A real server, asked page by page; then again with a recorder at work."""
    exchanges = effort.of(effort.exchanges, 2_000)
    path = folder / "ninety_days.db"
    ninety_days.make(path, exchanges)
    with serving("dashboard", "--db", str(path), cwd=folder) as child:
        figures = [
            Figure(
                what=f"dashboard, {exchanges:,} exchanges: {name}, ms",
                ours=_median_ms(child.url + url, effort.of(11, 1)),
                target=None if limit is None else Target(limit=limit, absolute=True),
            )
            for name, (url, limit) in _PAGES.items()
        ]
        figures += _while_recording(path, child.url, effort)
    return Report(figures=figures)


def _median_ms(url: str, times: int) -> float:
    for _ in range(2):  # warm
        _get(url)
    return median(_get(url)[0] for _ in range(times))


def _get(url: str) -> tuple[float, str]:
    """How many milliseconds it took, and the page."""
    start = time.perf_counter()
    with urllib.request.urlopen(url, timeout=60) as response:
        page = response.read().decode()
    return (time.perf_counter() - start) * 1000, page


def _while_recording(path: Path, url: str, effort: Effort) -> Iterator[Figure]:
    wrong: list[str] = []
    took: dict[str, list[float]] = {}
    with _recording(path, wrong) as written:
        for _ in range(effort.of(6, 1)):
            for name, (page_url, _limit) in _PAGES.items():
                before = written()
                ms, page = _get(url + page_url)
                took.setdefault(name, []).append(ms)
                wrong += _wrong(name, page, least=before)
    yield Figure(
        what="dashboard while 200 exchanges a second are recorded: wrong pages, lost exchanges",
        ours=len(wrong),
        target=Target(limit=0, absolute=True),
        note="; ".join(dict.fromkeys(wrong))[:200],
    )
    for name in ("overview, 30 days", "table with facets", "one exchange"):
        yield Figure(
            what=f"dashboard while recording: {name}, ms",
            ours=median(took[name]),
            note=f"slowest {percentile(took[name], 100):.0f}",
        )


def _wrong(name: str, page: str, *, least: int) -> list[str]:
    """What is wrong with a page: a query that failed, or a count that is behind the database."""
    found = [f"{name}: {text}" for text in ("took too long", "locked") if text in page]
    if name == "overview, all" and (count := re.search(r'title="(\d+) exchanges"', page)):
        shown = int(count[1])
        found += [f"{name}: {shown} of {least}"] if shown < least else []
    return found


@contextmanager
def _recording(path: Path, wrong: list[str]) -> Iterator[Callable[[], int]]:
    """Record so many a second; gives a function that tells how many are in the file."""
    stop = threading.Event()
    writer = Writer(path)

    def run() -> None:
        due, number = time.monotonic(), 0
        while not stop.wait(max(0.0, due - time.monotonic())):
            record(writer, Said(request={"model": "gpt-5", "messages": [], "n": number}))
            number += 1
            due += 1 / _PER_S

    thread = threading.Thread(target=run)
    thread.start()
    with closing(sqlite3.connect(path)) as reader:

        def written() -> int:
            (count,) = reader.execute("SELECT count(*) FROM exchanges").fetchone()
            return int(count)

        try:
            yield written
        finally:
            stop.set()
            thread.join()
            writer.close(patience_s=60)
    wrong += ["an exchange was lost"] * writer.not_recorded
