"""The rhythm of one stream: what was waited for, and how each chunk followed the one before."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Literal

from replayproxy.dashboard import formats
from replayproxy.dashboard.stream_events import StreamEvents
from replayproxy.model import Chunk, Exchange

type Pace = Literal["steady", "slow", "stall"]

MAX_TICKS = 1200
"""Of longer streams, the chart, which is no wider, leaves out steady chunks."""

LABEL_SHARE = 0.08
"""A phase that takes less of the width has no room for its name."""

SO_FAR = 80
"""Characters of the text so far that a mark tells."""

_NS_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """One chunk: its number from 0, when it came, how long after the one before."""

    seq: int
    offset_ms: float
    gap_ms: float
    length: int
    received: int
    pace: Pace


def ticks(chunks: Sequence[Chunk], *, headers_ms: float) -> list[Tick]:
    """Each chunk with its pace.

    Slow is three times the usual gap and 50 ms at least; a stall ten times, and
    250 ms at least. The first chunk's gap is counted from the headers and is no stall.
    """
    gaps, last = [], headers_ms
    for chunk in chunks:
        offset_ms = chunk.offset_ns / _NS_PER_MS
        gaps.append(max(0.0, offset_ms - last))
        last = offset_ms
    usual = median(gaps[1:]) if len(gaps) > 1 else 0.0
    found, received = [], 0
    for seq, (chunk, gap) in enumerate(zip(chunks, gaps, strict=True)):
        received += len(chunk.data)
        tick = Tick(
            seq=seq,
            offset_ms=round(chunk.offset_ns / _NS_PER_MS, 3),
            gap_ms=round(gap, 3),
            length=len(chunk.data),
            received=received,
            pace=_pace(gap, usual) if seq else "steady",
        )
        found.append(tick)
    return found


def _pace(gap_ms: float, usual_ms: float) -> Pace:
    if gap_ms >= max(250.0, 10 * usual_ms):
        return "stall"
    return "slow" if gap_ms >= max(50.0, 3 * usual_ms) else "steady"


def chart_data(
    exchange: Exchange, found: Sequence[Tick], events: StreamEvents | None = None
) -> dict[str, list[dict[str, Any]]]:
    """The data sets of `charts/exchange/stream.vl.json`; `events` say what was said when."""
    shown = thinned(found)
    return {
        "phases": phases(exchange, found),
        "stalls": [_stall(tick, end_ms(exchange, found)) for tick in found if tick.pace == "stall"],
        "received": [
            {"offset_ms": 0, "bytes": 0},
            *({"offset_ms": tick.offset_ms, "bytes": tick.received} for tick in shown),
            {"offset_ms": end_ms(exchange, found), "bytes": found[-1].received if found else 0},
        ],
        "ticks": [
            {
                "offset_ms": tick.offset_ms,
                "pace": tick.pace,
                "says": f"{told(tick)}{_so_far(tick, events) if events else ''}",
            }
            for tick in shown
        ],
    }


def told(tick: Tick) -> str:
    """A chunk in words."""
    gap = formats.ms(tick.gap_ms)
    after = f"{gap} after the one before" if tick.seq else f"{gap} after the headers"
    stalled = ", a stall" if tick.pace == "stall" else ""
    return (
        f"chunk {tick.seq}: {formats.ms(tick.offset_ms)}, {after}{stalled}, "
        f"{formats.size(tick.length)}"
    )


def _so_far(tick: Tick, events: StreamEvents) -> str:
    """The end of what had been said then."""
    length = events.said_to[tick.seq] if tick.seq < len(events.said_to) else 0
    if not length:
        return ""
    start = max(0, length - SO_FAR)
    text = formats.one_line(events.said[start:length], SO_FAR + 1)
    return f" · so far: {'…' if start else ''}{text}"


def phases(exchange: Exchange, found: Sequence[Tick]) -> list[dict[str, Any]]:
    """What was waited for, one after the other; what was not measured is left out."""
    marks = [
        ("headers", exchange.head.offset_ns if exchange.head else None),
        ("first chunk", exchange.first_event_ns),
        ("first content", exchange.first_content_ns),
    ]
    end, start, rows = end_ms(exchange, found), 0.0, []
    moments = [(name, ns / _NS_PER_MS) for name, ns in marks if ns is not None]
    for name, moment in [*moments, ("stream", end)]:
        length = moment - start
        if length <= 0:
            continue
        says = f"{name}: {formats.ms(length)}"
        rows.append(
            {
                "phase": name,
                "start_ms": round(start, 3),
                "end_ms": round(moment, 3),
                "says": says,
                "label": _label(says, length, end),
            }
        )
        start = moment
    return rows


def _stall(tick: Tick, end: float) -> dict[str, Any]:
    return {
        "start_ms": tick.offset_ms - tick.gap_ms,
        "end_ms": tick.offset_ms,
        "label": _label(f"stalled {formats.ms(tick.gap_ms)}", tick.gap_ms, end),
    }


def _label(text: str, length: float, end: float) -> str:
    """The text, if it has room."""
    return text if length >= LABEL_SHARE * end * (len(text) / 12) else ""


def end_ms(exchange: Exchange, found: Sequence[Tick]) -> float:
    """Where the time axis ends: with the exchange, or with what is known of one in flight."""
    known = [tick.offset_ms for tick in found[-1:]]
    known += [exchange.head.offset_ns / _NS_PER_MS] if exchange.head else []
    known += [exchange.end_offset_ns / _NS_PER_MS] if exchange.end_offset_ns else []
    return max([*known, 1.0])


def thinned(found: Sequence[Tick]) -> list[Tick]:
    """Those that a chart shows; slow ones and stalls among them."""
    if len(found) <= MAX_TICKS:
        return list(found)
    step = len(found) // MAX_TICKS + 1
    return [tick for tick in found if tick.seq % step == 0 or tick.pace != "steady"][
        : 2 * MAX_TICKS
    ]
