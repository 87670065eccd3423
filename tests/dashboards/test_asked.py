from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

import pytest

from replayproxy.dashboard.asked import Asked, Span

NOW = datetime(2026, 3, 10, 15, 42, 7, tzinfo=UTC)


def span(*, first: timedelta, last: timedelta = timedelta()) -> Span:
    return Span(NOW - first, NOW - last)


def asked(**args: str) -> Asked:
    return Asked.read(args, span(first=timedelta(days=365)), NOW)


@pytest.mark.parametrize(
    ("key", "since", "until", "bucket"),
    [
        ("1h", "2026-03-10T14:43:00.000000Z", "2026-03-10T15:43:00.000000Z", "minute"),
        ("24h", "2026-03-09T16:00:00.000000Z", "2026-03-10T16:00:00.000000Z", "hour"),
        ("7d", "2026-03-04", "2026-03-11", "day"),
        ("30d", "2026-02-09", "2026-03-11", "day"),
        ("90d", "2025-12-11", "2026-03-11", "day"),
        ("all", "2025-03-01", "2026-04-01", "month"),
    ],
)
def test_a_range_is_made_of_whole_steps(key: str, since: str, until: str, bucket: str) -> None:
    found = asked(range=key).parameters

    assert (found["since"], found["until"], found["bucket"]) == (since, until, bucket)


@pytest.mark.parametrize(
    ("args", "since", "until", "bucket"),
    [
        ({"from": "2026-03-01", "to": "2026-03-03"}, "2026-03-01", "2026-03-04", "day"),
        (
            {"from": "2026-03-01T10:07", "to": "2026-03-01T11:00"},
            "2026-03-01T10:07:00.000000Z",
            "2026-03-01T11:00:00.000000Z",
            "minute",
        ),
        (
            {"from": "2026-03-01T10:07+02:00", "to": "2026-03-02"},
            "2026-03-01T08:00:00.000000Z",
            "2026-03-03T00:00:00.000000Z",
            "hour",
        ),
        ({"from": "2025-01-31", "to": "2026-02-02"}, "2025-01-01", "2026-03-01", "month"),
        ({"from": "2026-03-08"}, "2026-03-08", "2026-03-11", "day"),
    ],
)
def test_an_own_range_takes_the_steps_that_fit(
    args: dict[str, str], since: str, until: str, bucket: str
) -> None:
    found = asked(**args)

    assert found.range == "own"
    assert found.parameters["since"] == since
    assert found.parameters["until"] == until
    assert found.bucket.name == bucket


@pytest.mark.parametrize(
    "args",
    [
        {"from": "nonsense"},
        {"from": "2026-03-02", "to": "2026-03-01"},
        {"from": "0001-01-01", "to": "9999-12-31"},
        {"range": "nonsense", "show": "nonsense"},
        {"to": "2026-03-01"},
    ],
)
def test_what_makes_no_sense_is_not_asked(args: dict[str, str]) -> None:
    found = asked(**args)

    assert (found.range, found.kind) == ("30d", "live")


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (span(first=timedelta(minutes=5)), "1h"),
        (span(first=timedelta(hours=3)), "24h"),
        (span(first=timedelta(days=5)), "7d"),
        (span(first=timedelta(days=80)), "90d"),
        (span(first=timedelta(days=800), last=timedelta(days=3)), "30d"),
        (span(first=timedelta(days=800), last=timedelta(days=300)), "all"),
    ],
)
def test_unless_asked_the_range_fits_what_was_recorded(found: Span, expected: str) -> None:
    assert Asked.read({}, found, NOW).range == expected
    assert Asked.read({"range": "nonsense"}, found, NOW).range == expected


@pytest.mark.parametrize("key", ["1h", "24h", "7d", "30d", "90d"])
def test_the_range_before_is_as_long_and_ends_where_this_begins(key: str) -> None:
    found = asked(range=key, tag="prod")

    assert found.before is not None
    assert found.before.until == found.since
    assert found.before.until - found.before.since == found.until - found.since
    assert found.before.filters == {"tag": "prod"}


def test_of_all_there_is_none_before() -> None:
    assert asked(range="all").before is None


@pytest.mark.parametrize(
    "args",
    [
        {"range": "7d", "model": "a b&c", "key": "fp:1"},
        {"range": "24h", "show": "replayed"},
        {"from": "2026-03-01T10:07", "to": "2026-03-01T11:00", "provider": "openai"},
    ],
)
def test_its_url_asks_for_the_same(args: dict[str, str]) -> None:
    found = asked(**args)

    assert asked(**dict(parse_qsl(found.url_query()))) == found


def test_another_range_keeps_the_filters() -> None:
    found = asked(**{"from": "2026-03-01", "to": "2026-03-03", "tag": "prod"})

    assert found.url_query(range="7d") == "range=7d&tag=prod"
    assert found.url_query(range="7d", tag=None) == "range=7d"


def test_filters_lead_into_the_table() -> None:
    found = asked(model="a b&c", key="fp:1").parameters

    assert found["filters"] == "&request_model__exact=a%20b%26c&key_fingerprint__exact=fp%3A1"


def test_percentiles_are_exact_where_that_is_quick_or_the_only_way() -> None:
    month = asked(range="30d")

    assert month.latency_grain(20_000) == ""
    assert month.latency_grain(20_001) == "days by provider"
    assert month.latency_grain(20_001, by="tag") == "days by tag"
    assert asked(range="30d", model="m").latency_grain(20_001, by="model") == "days by model"
    assert asked(range="30d", model="m").latency_grain(20_001, by="tag") == ""
    assert asked(range="24h").latency_grain(20_001) == ""
    assert asked(range="30d", show="replayed").latency_grain(9) == "replays"
