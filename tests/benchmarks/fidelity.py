"""How true a replay is: bytes, chunk borders and times of the reference stream.

The stream (tests/end_to_end/reference.py) is recorded through each tool, then its
upstream is gone, and the tool replays it. The error of a chunk is how far from its
time in the plan it was read; where the chunks are not the recorded ones it is that of
the chunk's first byte. The first line, the upstream without anything in between, is
what the machine itself adds.
"""

import base64
import itertools
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.effort import Effort
from tests.benchmarks.figures import Figure, Report, Target
from tests.benchmarks.load import HOST, PATH
from tests.benchmarks.measuring import median, percentile
from tests.benchmarks.peers import (
    AIMOCK_SERVER,
    MITMDUMP_S,
    REEL_SERVER,
    ROOT,
    TIMEFORK,
    VCRPY,
    Server,
    UnavailableError,
    environment,
    running,
)
from tests.benchmarks.servers import reference_upstream
from tests.end_to_end import reference
from tests.end_to_end.commands import serving
from tests.end_to_end.wire import Answer, post

_PLAN_S = list(itertools.accumulate(gap for gap, _ in reference.writes()))
_CHUNKS = [data for _, data in reference.writes()]
_BODY = b"".join(_CHUNKS)
_STARTS = list(itertools.accumulate((len(data) for data in _CHUNKS), initial=0))[:-1]


@dataclass(frozen=True, slots=True)
class Seen:
    """One answer: when which bytes were there."""

    times_s: list[float]
    pieces: list[bytes]

    @property
    def body(self) -> bytes:
        """All of it."""
        return b"".join(self.pieces)

    def errors_ms(self) -> list[float]:
        """Of each chunk in the plan that came."""
        errors, arrived, piece = [], 0, -1
        for start, due_s in zip(_STARTS, _PLAN_S, strict=True):
            while arrived <= start and piece + 1 < len(self.pieces):
                piece += 1
                arrived += len(self.pieces[piece])
            if arrived > start:
                errors.append(abs(self.times_s[piece] - due_s) * 1000)
        return errors


def measure(effort: Effort, folder: Path) -> Report:
    """Ours both ways in, and every peer that can be had."""
    rounds = effort.rounds(5)
    rows = [_row("the upstream itself", _upstream_itself(rounds))]
    rows += [_row(f"ours, {way}", seen) for way, seen in _ours(folder / "ours", rounds)]
    tools: dict[str, Callable[[Path, int, Effort], list[Seen]]] = {
        "aimock": lambda *given: _by_server(AIMOCK_SERVER, *given),
        "reel-vcr": lambda *given: _by_server(REEL_SERVER, *given),
        "timefork --pace": _by_timefork,
        "mitmdump -S": lambda *given: _by_server(MITMDUMP_S, *given),
        "vcrpy": _by_vcrpy,
    }
    for name, replays in tools.items():
        (place := folder / name.split()[0]).mkdir()
        try:
            rows.append(_row(name, replays(place, rounds, effort)))
        except (UnavailableError, AssertionError, subprocess.SubprocessError) as error:
            rows.append(_row(name, [], note=str(error)[:120]))
    return Report(
        figures=list(_figures(rows)), title="The reference stream, replayed by", rows=rows
    )


def _figures(rows: list[dict[str, Any]]) -> Iterator[Figure]:
    ours = rows[1:3]
    for row in ours:
        what = row["replayed by"]
        same = row["same bytes"] and row["same borders"]
        yield Figure(
            what=f"fidelity, {what}: same bytes and borders",
            ours=float(same),
            target=Target(limit=1, at_least=True, absolute=True),
        )
    true = [row for row in rows[3:] if row["same bytes"] and row["same borders"]]
    best = min(true or rows[:1], key=lambda row: float(row["p99 ms"]))
    against = f"{best['replayed by']}, the best with these bytes" if true else "no peer at all"
    for row in ours:
        yield Figure(
            what=f"fidelity, {row['replayed by']}: timing error p99, ms",
            ours=row["p99 ms"],
            reference=best["p99 ms"],
            against=against,
            ratio=row["p99 ms"] / best["p99 ms"],
            target=Target(limit=1) if true else None,
        )


def _row(name: str, seen: list[Seen], *, note: str = "") -> dict[str, Any]:
    if not seen:
        return {
            "replayed by": name,
            **dict.fromkeys(("writes", "same bytes", "same borders")),
            **dict.fromkeys(("p50 ms", "p99 ms", "max ms")),
            "note": note or "it gave no answer",
        }
    errors = [error for one in seen for error in one.errors_ms()] or [float("nan")]
    return {
        "replayed by": name,
        "writes": median(len(one.pieces) for one in seen),
        "same bytes": all(one.body == _BODY for one in seen),
        "same borders": all(one.pieces == _CHUNKS for one in seen),
        "p50 ms": percentile(errors, 50),
        "p99 ms": percentile(errors, 99),
        "max ms": max(errors),
        "note": note,
    }


def _seen(answer: Answer) -> Seen:
    assert answer.status == 200, f"it answered {answer.status}"
    return Seen(answer.times_s, answer.chunks)


def _upstream_itself(rounds: int) -> list[Seen]:
    with reference_upstream() as upstream:
        return [_seen(post(upstream.origin + PATH, reference.REQUEST)) for _ in range(rounds)]


def _ours(folder: Path, rounds: int) -> Iterator[tuple[str, list[Seen]]]:
    folder.mkdir()
    with (
        reference_upstream() as upstream,
        serving("record", "--upstream", upstream.origin, cwd=folder) as recorder,
    ):
        post(recorder.url + PATH, reference.REQUEST)
    with serving("replay", cwd=folder) as player:
        yield (
            "base URL",
            [_seen(post(player.url + PATH, reference.REQUEST)) for _ in range(rounds)],
        )
        yield (
            "through interception",
            [
                _seen(
                    post(
                        f"https://{HOST}:443{PATH}",
                        reference.REQUEST,
                        tunnel=player.url,
                        authority=folder / "home" / "mitmproxy-ca-cert.pem",
                    )
                )
                for _ in range(rounds)
            ],
        )


def _by_server(server: Server, folder: Path, rounds: int, effort: Effort) -> list[Seen]:
    if server.package:
        server.package.install(effort)
    with reference_upstream() as upstream:
        origin = upstream.origin
        with running(lambda port: server.record(port, folder, origin), folder) as recorder:
            post(recorder.url + PATH, reference.REQUEST)
    with running(lambda port: server.replay(port, folder, origin), folder) as player:
        return [_seen(post(player.url + PATH, reference.REQUEST)) for _ in range(rounds)]


_ASKS = """
import base64, json, os
from tests.benchmarks.load import PATH
from tests.benchmarks.servers import reference_upstream
from tests.end_to_end import reference
from tests.end_to_end.wire import post
answer = post(os.environ["TIMEFORK_PROXY"] + PATH, reference.REQUEST)
assert answer.status == 200, answer.status
pieces = [base64.b64encode(chunk).decode() for chunk in answer.chunks]
print(json.dumps(list(zip(answer.times_s, pieces))))
"""


def _by_timefork(folder: Path, rounds: int, effort: Effort) -> list[Seen]:
    """It runs a command; what the command saw is the last line it prints."""
    TIMEFORK.install(effort)
    client = ["--", sys.executable, "-c", _ASKS]
    with reference_upstream() as upstream:

        def run(*arguments: str) -> Seen:
            done = subprocess.run(
                [TIMEFORK.program("timefork"), *arguments, *client],
                cwd=folder,
                env=environment(TIMEFORK_UPSTREAM_OPENAI=upstream.origin, PYTHONPATH=str(ROOT)),
                check=True,
                capture_output=True,
                text=True,
                timeout=60,
            )
            (line,) = [line for line in done.stdout.splitlines() if line.startswith("[[")]
            return _decoded(json.loads(line))

        run("record")
        asked = upstream.asked
        seen = [run("replay", "last", "--pace", "--on-diverge", "block") for _ in range(rounds)]
        assert upstream.asked == asked, "it asked upstream"
    return seen


def _by_vcrpy(folder: Path, rounds: int, effort: Effort) -> list[Seen]:
    VCRPY.install(effort)
    with reference_upstream() as upstream:
        done = subprocess.run(
            [
                *(VCRPY.program("python"), str(Path(__file__).with_name("vcr_client.py"))),
                *("fidelity", str(folder / "cassette.yaml"), upstream.origin + PATH, str(rounds)),
            ],
            env=environment(),
            input=json.dumps(reference.REQUEST).encode(),
            check=True,
            capture_output=True,
            timeout=60,
        )
    return [_decoded(reads) for reads in json.loads(done.stdout)]


def _decoded(reads: list[tuple[float, str]]) -> Seen:
    return Seen([time_s for time_s, _ in reads], [base64.b64decode(text) for _, text in reads])
