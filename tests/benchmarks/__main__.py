"""All benchmarks, or some: `python -m tests.benchmarks [SUBJECT...]`, or `make bench`.

Ours and others in one run and in turns, as ratios, since machines differ and drift.
Run it on an idle machine. What others need is installed below build/benchmarks/ when
it is asked for; what cannot be installed is a row that says so.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks import (
    dashboard,
    fidelity,
    figures,
    gateways,
    instant,
    matching,
    pytest_overhead,
    recording,
    reliability,
    storage,
    timing,
)
from tests.benchmarks.effort import Effort
from tests.benchmarks.figures import Report

SUBJECTS: dict[str, Callable[[Effort, Path], Report]] = {
    "recording": recording.measure,
    "fidelity": fidelity.measure,
    "instant": instant.measure,
    "timing": timing.measure,
    "storage": storage.measure,
    "matching": matching.measure,
    "dashboard": dashboard.measure,
    "reliability": reliability.measure,
    "pytest": pytest_overhead.measure,
    "gateways": gateways.measure,
}


def main(arguments: list[str]) -> None:
    """Measure, print, and write JSON if asked."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("subjects", nargs="*", metavar="SUBJECT", help=", ".join(SUBJECTS))
    parser.add_argument("--quick", action="store_true", help="only see whether everything works")
    parser.add_argument("--exchanges", type=int, default=1_000_000, help="of the large database")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args(arguments)
    if unknown := set(options.subjects) - set(SUBJECTS):
        parser.error(f"no such subject: {', '.join(unknown)}")
    effort = Effort(quick=options.quick, exchanges=options.exchanges)
    reports = {name: _run(name, effort) for name in options.subjects or SUBJECTS}
    found = [figure for report in reports.values() for figure in report.figures]
    for report in reports.values():
        if report.rows:
            print(f"\n{report.title}\n{figures.text_table(report.rows)}")
    print(f"\n{figures.table(found)}")
    missed = sum(figure.met is False for figure in found)
    print(f"\n{sum(figure.met is True for figure in found)} targets met, {missed} missed")
    if options.json:
        content = {
            "figures": [figure.as_json() for figure in found],
            "tables": {name: list(report.rows) for name, report in reports.items() if report.rows},
        }
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(content, indent=2) + "\n")


def _run(name: str, effort: Effort) -> Report:
    start = time.monotonic()
    print(f"{name} ...", end=" ", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        report = SUBJECTS[name](effort, Path(folder))
    print(f"{time.monotonic() - start:.0f} s", file=sys.stderr)
    return report


if __name__ == "__main__":
    main(sys.argv[1:])
