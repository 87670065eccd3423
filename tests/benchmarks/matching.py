"""Finding the recording that answers, in a database of a million, beside one of a thousand.

`start` is a command's whole start, Python's own included. Lookups and misses are timed
in this process, on exchanges all over the database, so that its pages are not all at hand.
"""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

from replayproxy.explaining import explained
from replayproxy.session import Session
from replayproxy.store import Library
from tests.benchmarks.effort import Effort
from tests.benchmarks.figures import Figure, Report, Target, of_pairs
from tests.benchmarks.library import CASSETTES, asking, fill
from tests.benchmarks.load import Way, ask, connected, request
from tests.benchmarks.measuring import in_turns, median, percentile, resident_mb
from tests.end_to_end.commands import serving

_SMALL = 1_000
_RULES = ("--ignore", "$.metadata.request_id")


def measure(effort: Effort, folder: Path) -> Report:
    """Make both databases, and look things up."""
    exchanges = effort.of(effort.exchanges, 500)
    places = {"large": (folder / "large", exchanges), "small": (folder / "small", _SMALL)}
    start_s = time.monotonic()
    for place, count in places.values():
        place.mkdir()
        fill(place / "replayproxy.db", count)
    filled_s = time.monotonic() - start_s
    return Report(
        figures=[
            Figure(
                what=f"matching: {exchanges:,} exchanges, made in s",
                ours=filled_s,
                note=f"{(folder / 'large' / 'replayproxy.db').stat().st_size / 1e6:,.0f} MB",
            ),
            *_starts(effort, places["large"][0], places["small"][0], exchanges),
            *_lookups(effort, places),
            *_rules(places["large"][0], exchanges),
            *_misses(effort, places["large"][0], exchanges),
        ]
    )


def _starts(effort: Effort, large: Path, small: Path, exchanges: int) -> Iterator[Figure]:
    yield of_pairs(
        f"matching: replay's start with {exchanges:,} exchanges, s",
        in_turns(lambda: _start_s(large), lambda: _start_s(small), effort.rounds(3)),
        against=f"with {_SMALL:,}",
        target=Target(limit=1.0, absolute=True),
    )
    count = effort.of(2_000, 20)
    yield of_pairs(
        f"matching: replay's memory after {count:,} hits, MB",
        in_turns(
            lambda: _memory_mb(large, count, exchanges),
            lambda: _memory_mb(small, count, _SMALL),
            1,
        ),
        against=f"with {_SMALL:,} exchanges",
        target=Target(limit=1.15),
    )


def _start_s(folder: Path, *arguments: str) -> float:
    start_s = time.perf_counter()
    with serving("replay", "--upstream", "https://api.example.invalid", *arguments, cwd=folder):
        return time.perf_counter() - start_s


def _memory_mb(folder: Path, count: int, exchanges: int) -> float:
    chance = random.Random(2)
    most = round(exchanges * CASSETTES["default"])
    arguments = ("--upstream", "https://api.example.invalid", "--speed", "instant")
    with serving("replay", "--no-replay-log", *arguments, cwd=folder) as player:
        with connected(Way(player.url)) as connection:
            for _ in range(count):
                body = asking(chance.randrange(most)).body
                ask(connection, request(body))
        return resident_mb(player.process.pid)


def _lookups(effort: Effort, places: dict[str, tuple[Path, int]]) -> Iterator[Figure]:
    times: dict[str, list[float]] = {}
    for name, (folder, exchanges) in places.items():
        chance = random.Random(3)
        most = round(exchanges * CASSETTES["default"])
        with closing(Library(folder / "replayproxy.db")) as library:
            asked = [asking(chance.randrange(most)) for _ in range(effort.of(2_000, 20))]
            answer = Session(library, cassette="default").answer
            times[name] = [_ms(partial(answer, one)) for one in asked]
    for percent in (50, 99):
        large, small = (percentile(times[name], percent) for name in ("large", "small"))
        yield Figure(
            what=f"matching: a hit found and read, p{percent}, ms",
            ours=large,
            reference=small,
            ratio=large / small,
            against=f"with {_SMALL:,} exchanges",
            target=Target(limit=1.0, absolute=True),
        )


def _rules(folder: Path, exchanges: int) -> Iterator[Figure]:
    """The first start makes the keys of new rules, all later ones have them."""
    count = round(exchanges * CASSETTES["smaller"])
    arguments = ("--cassette", "smaller", *_RULES)
    first_s, second_s = _start_s(folder, *arguments), _start_s(folder, *arguments)
    what = f"matching: start with rules over {count:,} exchanges"
    yield Figure(what=f"{what}, the first, s", ours=first_s)
    yield Figure(
        what=f"{what}, remembered, s",
        ours=second_s,
        reference=first_s,
        ratio=second_s / first_s,
        against="the first start with them",
        target=Target(limit=1.0, absolute=True),
    )


def _misses(effort: Effort, folder: Path, exchanges: int) -> Iterator[Figure]:
    with closing(Library(folder / "replayproxy.db")) as library:
        for cassette, part in CASSETTES.items():
            count = round(exchanges * part)
            times = []
            for number in range(effort.of(120, 3)):
                known = asking(number * count // 120, cassette)
                unknown = replace(known, body=known.body.replace(b"asks for", b"begs for"))
                times.append(_ms(partial(explained, unknown, library, cassette=cassette)))
            yield Figure(
                what=f"matching: a miss explained among {count:,}, p99, ms",
                ours=percentile(times, 99),
                note=f"p50 {median(times):.1f} ms",
                target=Target(limit=50, absolute=True),
            )


def _ms(what: Callable[[], object]) -> float:
    start_s = time.perf_counter()
    what()
    return (time.perf_counter() - start_s) * 1e3
