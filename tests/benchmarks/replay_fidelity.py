"""How true a replay is: bytes, chunk borders and times of the reference stream.

    python -m tests.benchmarks.replay_fidelity [--rounds 10] [--json FILE]

Records the stream (tests/end_to_end/reference.py) through `replayproxy record`,
stops the upstream, then replays it again and again. The error of a chunk is how
far from its recorded offset it was read by the client; the first line, the
upstream read without anything in between, shows what the machine itself adds.
Run it on an idle machine.
"""

import itertools
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.benchmarks import report
from tests.end_to_end import reference
from tests.end_to_end.commands import serving, shown
from tests.end_to_end.upstream import Upstream
from tests.end_to_end.wire import Answer, post

PATH = "/v1/chat/completions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fidelity:
    """Over all rounds; errors in milliseconds."""

    what: str
    rounds: int
    chunks: int
    same_bytes: bool
    same_borders: bool
    error_p50_ms: float
    error_p99_ms: float
    error_max_ms: float


def main() -> None:
    """Measure, print, and write JSON if asked."""
    options = report.options(__doc__, rounds=10)
    with tempfile.TemporaryDirectory() as folder:
        results = measure(Path(folder), options.rounds)
    print(f"{'':32} chunks  bytes  borders    p50 ms    p99 ms    max ms")
    for result in results:
        print(
            f"{result.what:32} {result.chunks:6}  {_same(result.same_bytes):5}  "
            f"{_same(result.same_borders):7} {result.error_p50_ms:9.2f} "
            f"{result.error_p99_ms:9.2f} {result.error_max_ms:9.2f}"
        )
    report.write(options.json, [asdict(result) for result in results])


def measure(folder: Path, rounds: int) -> list[Fidelity]:
    """Record once, replay `rounds` times both ways."""
    with Upstream(lambda request: reference.script()) as upstream:
        direct = [post(upstream.origin + PATH, reference.REQUEST) for _ in range(rounds)]
        with serving("record", "--upstream", upstream.origin, cwd=folder) as recorder:
            post(recorder.url + PATH, reference.REQUEST)
    planned_s = list(itertools.accumulate(gap for gap, _ in reference.writes()))
    offsets_s = [chunk["offset_ns"] / 1e9 for chunk in shown(1, folder)["chunks"]]
    with serving("replay", cwd=folder) as player:
        by_base_url = [post(player.url + PATH, reference.REQUEST) for _ in range(rounds)]
        url = f"http://api.example.invalid:80{PATH}"
        intercepted = [post(url, reference.REQUEST, tunnel=player.url) for _ in range(rounds)]
    return [
        _fidelity("upstream itself, against its plan", direct, planned_s),
        _fidelity("replay, base URL", by_base_url, offsets_s),
        _fidelity("replay, through interception", intercepted, offsets_s),
    ]


def _fidelity(what: str, answers: Sequence[Answer], due_s: Sequence[float]) -> Fidelity:
    expected = [data for _, data in reference.writes()]
    errors = [
        abs(seen - due) * 1000
        for answer in answers
        for seen, due in zip(answer.times_s, due_s, strict=True)
    ]
    return Fidelity(
        what=what,
        rounds=len(answers),
        chunks=len(answers[0].chunks),
        same_bytes=all(answer.body == b"".join(expected) for answer in answers),
        same_borders=all(answer.chunks == expected for answer in answers),
        error_p50_ms=statistics.median(errors),
        error_p99_ms=statistics.quantiles(errors, n=100)[98],
        error_max_ms=max(errors),
    )


def _same(true: bool) -> str:
    return "same" if true else "DIFFER"


if __name__ == "__main__":
    main()
