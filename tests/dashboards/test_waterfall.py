from datetime import UTC, datetime

from replayproxy.dashboard.waterfall import MAX_TICKS, chart_data, phases, ticks
from replayproxy.model import Chunk, Exchange, Request, ResponseHead

MS = 1_000_000


def chunks(*offsets_ms: float) -> list[Chunk]:
    return [Chunk(offset_ns=int(ms * MS), data=b"12345") for ms in offsets_ms]


def exchange(
    *,
    headers_ms: int | None = 100,
    first_event_ms: int | None = 200,
    first_content_ms: int | None = 250,
    end_ms: int | None = 1000,
) -> Exchange:
    def ns(ms: int | None) -> int | None:
        return None if ms is None else ms * MS

    return Exchange(
        started_at=datetime.now(UTC),
        request=Request(method="POST", scheme="https", host="h", port=443, path="/"),
        head=None if headers_ms is None else ResponseHead(offset_ns=headers_ms * MS, status=200),
        first_event_ns=ns(first_event_ms),
        first_content_ns=ns(first_content_ms),
        end_offset_ns=ns(end_ms),
    )


def test_a_gap_is_counted_from_the_chunk_before_and_the_first_from_the_headers() -> None:
    found = ticks(chunks(120, 130, 170), headers_ms=100)

    assert [(tick.gap_ms, tick.received) for tick in found] == [(20, 5), (10, 10), (40, 15)]


def test_chunks_that_stood_still_are_slow_or_stalled_by_the_streams_own_rhythm() -> None:
    found = ticks(chunks(5000, 5010, 5020, 5030, 5090, 5400), headers_ms=10)

    assert [tick.pace for tick in found] == [
        "steady", "steady", "steady", "steady", "slow", "stall",
    ]  # fmt: skip


def test_a_slow_stream_has_a_slow_rhythm_and_no_stalls() -> None:
    found = ticks(chunks(*range(0, 9000, 300)), headers_ms=0)

    assert {tick.pace for tick in found} == {"steady"}


def test_the_phases_follow_each_other_to_the_end() -> None:
    rows = phases(exchange(), [])

    assert [(row["phase"], row["start_ms"], row["end_ms"]) for row in rows] == [
        ("headers", 0, 100),
        ("first chunk", 100, 200),
        ("first content", 200, 250),
        ("stream", 250, 1000),
    ]


def test_what_was_not_measured_is_no_phase() -> None:
    unmeasured = exchange(headers_ms=None, first_event_ms=None, first_content_ms=None)

    assert [row["phase"] for row in phases(unmeasured, [])] == ["stream"]
    assert phases(exchange(first_event_ms=100, first_content_ms=100), [])[1]["phase"] == "stream"


def test_an_exchange_in_flight_ends_with_its_last_chunk() -> None:
    found = ticks(chunks(300, 400), headers_ms=100)

    data = chart_data(exchange(end_ms=None), found)

    assert data["received"][-1] == {"offset_ms": 400, "bytes": 10}


def test_of_a_very_long_stream_the_stalls_stay() -> None:
    offsets = [float(ms) for ms in range(20_000)]
    found = ticks(chunks(*offsets, 25_000), headers_ms=0)

    data = chart_data(exchange(end_ms=25_001), found)

    assert len(data["ticks"]) <= MAX_TICKS + 1
    assert data["ticks"][-1]["pace"] == "stall"
    assert data["received"][-1]["bytes"] == 5 * 20_001
