"""What else a database knows of an exchange."""

from pathlib import Path

import pytest

from replayproxy.store import LikeIt, Store
from tests.dashboards.sample import Said, replay, stream, write

OTHER = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Another."}]}
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    traced = (("traceparent", f"00-{TRACE}-00f067aa0ba902b7-01"),)
    path = write(
        tmp_path / "a.db",
        Said(headers=traced),
        Said(request=OTHER, headers=traced),
        Said(model="m"),
        Said(cassette="other"),
        Said(),
        Said(ending=None, chunks=stream(["broken"])[:2]),
    )
    replay(path, "hit", "hit", "hit", exchange_id=1)
    replay(path, "miss", closest_id=1)
    return Store(path)


def test_those_before_and_after_and_those_like_it(store: Store) -> None:
    with store:
        assert store.like_it(1) == LikeIt(next=2, same_request_later=5, same_request_elsewhere=4)
        assert store.like_it(2) == LikeIt(previous=1, next=3, same_model=1)
        assert store.like_it(3) == LikeIt(previous=2, next=4)
        assert store.like_it(5).same_request == 1
        assert store.like_it(4).same_request_elsewhere == 5


def test_what_cannot_be_replayed_is_like_no_request(store: Store) -> None:
    with store:
        found = store.like_it(6)

    assert (found.same_request, found.same_request_elsewhere) == (None, None)
    assert found.same_model == 5


def test_an_unknown_exchange_is_like_nothing(store: Store) -> None:
    with store:
        assert store.like_it(99) == LikeIt()
        assert store.spans(99) == store.replays(99) == []


def test_replays_are_its_hits_the_latest_first(store: Store) -> None:
    with store:
        rows = store.replays(1, limit=2)

    assert [(row["id"], row["result"]) for row in rows] == [(3, "hit"), (2, "hit")]


def test_a_trace_has_the_spans_of_all_its_exchanges(store: Store) -> None:
    with store:
        (span,) = store.spans(1)
        rows = store.trace(TRACE)

    assert span["trace_id"] == TRACE
    assert [row["exchange_id"] for row in rows] == [1, 2]
