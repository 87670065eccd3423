"""Two exchanges beside each other: what was asked, answered, paid and waited for.

`a` is the one that is compared with, `b` the one that is looked at: a difference
is what `b` has more than `a`.
"""

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from replayproxy.dashboard import formats
from replayproxy.dashboard.conversation import pretty
from replayproxy.dashboard.outgoing import joined
from replayproxy.dashboard.raw_body import raw_body
from replayproxy.dashboard.reading import Reading, read
from replayproxy.dashboard.waterfall import chart_data
from replayproxy.dashboard.word_diff import Piece, word_diff
from replayproxy.matching import canonical, differences
from replayproxy.model import Answer, Choice, Headers, header, without
from replayproxy.redaction import is_kept
from replayproxy.serving.reply import EXCHANGE_MARK
from replayproxy.store import Store

MAX_DIFFERENCES = 100
MAX_VALUE = 5_000
"""Characters of a value that differs."""

MAX_ANSWER = 100_000
SHORT = 60
"""A value that is no longer is replaced as a whole: 0.2 by 0.7, not 2 by 7."""

_ENCODED = re.compile(r"[A-Za-z0-9+/_-]{400,}={0,2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A number of both; `change` is empty where one of them is not known, or they are equal."""

    name: str
    a: str
    b: str
    change: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Differing:
    """A place where the requests differ: a JSON path, or a name such as `path`."""

    where: str
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of the answers; `same` if both say the same there."""

    name: str
    pieces: tuple[Piece, ...]
    same: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """What both responses share on the wire.

    Attributes:
        same_bytes: whether the bodies are equal; `same_chunks`, whether they were cut
            at the same places.
        furthest_ms: by how much the times of a chunk differ at most, if they were.
    """

    same_bytes: bool
    same_chunks: bool
    furthest_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All that the page shows.

    Attributes:
        replayed: whether `b` was recorded from a replay that answered with `a`'s id.
        more: whether the requests differ in more places than are shown.
    """

    a: Reading
    b: Reading
    figures: tuple[Figure, ...]
    request: tuple[Differing, ...]
    more: bool
    answer: tuple[Section, ...]
    likeness: Likeness
    replayed: bool


def compare(a: tuple[Path, int], b: tuple[Path, int]) -> Comparison:
    """Compare two exchanges, each of a database and by its id.

    Raises:
        UnknownExchangeError: there is none of this id.
        DatabaseError: a database cannot be used.
    """
    before, after = (_read(*which) for which in (a, b))
    found = list(islice(_request(before, after), MAX_DIFFERENCES + 1))
    return Comparison(
        a=before,
        b=after,
        figures=tuple(_figures(before, after)),
        request=tuple(found[:MAX_DIFFERENCES]),
        more=len(found) > MAX_DIFFERENCES,
        answer=tuple(_answer(before, after)),
        likeness=_likeness(before, after),
        replayed=header(after.response_headers, EXCHANGE_MARK) == str(before.exchange.id),
    )


def _read(path: Path, exchange_id: int) -> Reading:
    with Store(path) as store:
        return read(store, exchange_id)


# -- figures ---------------------------------------------------------------------------------------

_OF_ROW: tuple[tuple[str, str, Callable[[Any], str]], ...] = (
    ("wait for headers", "time_to_headers_ms", formats.ms),
    ("first chunk", "time_to_first_chunk_ms", formats.ms),
    ("first content (TTFT)", "time_to_first_content_ms", formats.ms),
    ("duration", "duration_ms", formats.ms),
    ("cost", "cost_usd", formats.usd),
    ("input tokens", "input_tokens", formats.count),
    ("of them cached", "cache_read_tokens", formats.count),
    ("output tokens", "output_tokens", formats.count),
    ("of them reasoning", "reasoning_tokens", formats.count),
    ("request bytes", "request_bytes", formats.size),
    ("response bytes", "response_bytes", formats.size),
    ("chunks", "chunk_count", formats.count),
)
_SAID = ("status", "outcome", "request_model", "response_model", "finish_reason", "service_tier")


def _figures(a: Reading, b: Reading) -> Iterator[Figure]:
    for name in _SAID:
        texts = [formats.one_line(row[name], 60) for row in (a.row, b.row)]
        if texts != [formats.UNKNOWN] * 2:
            change = "" if texts[0] == texts[1] else "differs"
            yield Figure(name=name.replace("_", " "), a=texts[0], b=texts[1], change=change)
    for name, column, form in _OF_ROW:
        yield from _figure(name, a.row[column], b.row[column], form)
    yield from _figure(
        "output tokens/s", a.output_tokens_per_second, b.output_tokens_per_second, formats.compact
    )
    yield from _figure("stalls", a.stalls, b.stalls, formats.count)


def _figure(
    name: str, a: float | None, b: float | None, form: Callable[[Any], str]
) -> Iterator[Figure]:
    if a is None and b is None:
        return
    yield Figure(name=name, a=form(a), b=form(b), change=_change(a, b, form))


def _change(a: float | None, b: float | None, form: Callable[[Any], str]) -> str:
    if a is None or b is None or a == b:
        return ""
    sign, arrow = ("+", "▲") if b > a else ("−", "▼")
    share = f" ({sign}{formats.share(abs(b - a), a)})" if a else ""
    return f"{arrow} {sign}{form(abs(b - a))}{share}"


# -- what was asked --------------------------------------------------------------------------------


def _request(a: Reading, b: Reading) -> Iterator[Differing]:
    before, after = a.exchange.request, b.exchange.request
    for name in ("scheme", "host", "port"):
        if (x := str(getattr(before, name))) != (y := str(getattr(after, name))):
            yield _differing(name, x, y)
    for found in differences(canonical(after), canonical(before)):
        yield _differing(found.path, found.recorded, found.asked)
    mine, theirs = _told(before.headers), _told(after.headers)
    for name in sorted({*mine, *theirs}):
        if mine.get(name) != theirs.get(name):
            yield _differing(f"header {name}", mine.get(name, ""), theirs.get(name, ""))


def _told(headers: Headers) -> dict[str, str]:
    """Those whose values are stored, and that the body does not say again."""
    told = ((name, value) for name, value in headers if is_kept(name))
    return joined(without(tuple(told), {"content-length"}))


def _differing(where: str, a: str, b: str) -> Differing:
    a, b = (_ENCODED.sub(_named, text)[:MAX_VALUE] for text in (a, b))
    if max(len(a), len(b)) > SHORT:
        return Differing(where=where, pieces=tuple(word_diff(a, b)))
    whole = (Piece("removed", a), Piece("added", b))
    return Differing(where=where, pieces=tuple(piece for piece in whole if piece.text))


def _named(found: re.Match[str]) -> str:
    """Base64, as nobody reads it: how it begins, how long it is, and which it is."""
    digest = hashlib.sha256(found[0].encode()).hexdigest()[:8]
    return f"{found[0][:16]}… {len(found[0]):,} characters, SHA-256 {digest}…"


# -- what was answered -----------------------------------------------------------------------------


def _answer(a: Reading, b: Reading) -> Iterator[Section]:
    if not a.answer.choices and not b.answer.choices:
        yield from _bodies(a, b)
        return
    before, after = dict(_sections(a.answer)), dict(_sections(b.answer))
    for name in dict.fromkeys([*before, *after]):
        yield _section(name, before.get(name, ""), after.get(name, ""))


def _bodies(a: Reading, b: Reading) -> Iterator[Section]:
    """Those that nobody reads more closely."""
    bodies = [b"".join(chunk.data for chunk in reading.chunks) for reading in (a, b)]
    pairs = zip(bodies, (a.response_headers, b.response_headers), strict=True)
    texts = [raw_body(body, headers).text for body, headers in pairs]
    if texts[0] is not None and texts[1] is not None and any(texts):
        yield _section("body", texts[0], texts[1])


def _section(name: str, a: str, b: str) -> Section:
    a, b = a[:MAX_ANSWER], b[:MAX_ANSWER]
    return Section(name=name, pieces=tuple(word_diff(a, b)), same=a == b)


def _sections(answer: Answer) -> Iterator[tuple[str, str]]:
    for choice in answer.choices:
        which = f"choice {choice.index}: " if choice.index else ""
        for kind in ("reasoning", "text", "refusal"):
            if text := getattr(choice, kind):
                yield f"{which}{kind}", text
        if choice.tool_calls:
            yield f"{which}tool calls", _calls(choice)


def _calls(choice: Choice) -> str:
    return "\n".join(f"{call.name} {pretty(call.arguments)}" for call in choice.tool_calls)


# -- on the wire -----------------------------------------------------------------------------------


def _likeness(a: Reading, b: Reading) -> Likeness:
    same_chunks = [chunk.data for chunk in a.chunks] == [chunk.data for chunk in b.chunks]
    if not same_chunks or not a.chunks:
        bodies = [b"".join(chunk.data for chunk in reading.chunks) for reading in (a, b)]
        return Likeness(same_bytes=bodies[0] == bodies[1], same_chunks=same_chunks)
    apart = (abs(x.offset_ns - y.offset_ns) for x, y in zip(a.chunks, b.chunks, strict=True))
    return Likeness(same_bytes=True, same_chunks=True, furthest_ms=max(apart) / 1e6)


def rhythm(found: Comparison) -> dict[str, list[dict[str, Any]]]:
    """The data of `charts/compare/rhythm.vl.json`."""
    received, ticks = [], []
    for name, reading in (("A", found.a), ("B", found.b)):
        data = chart_data(reading.exchange, reading.ticks)
        received += [{**row, "which": name} for row in data["received"]]
        ticks += [
            {"which": name, "offset_ms": row["offset_ms"], "says": f"{name}, {row['says']}"}
            for row in data["ticks"]
        ]
    return {"received": received, "ticks": ticks}
