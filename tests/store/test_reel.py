"""An exchange's way into the database, however it is cut into transactions and retries."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replayproxy.model import Chunk, Ending, Exchange
from replayproxy.recording import Policy
from replayproxy.store import journal
from replayproxy.store.connection import open_for_writing
from replayproxy.store.exchange_rows import read_chunks, read_exchange
from replayproxy.store.histories import Histories
from replayproxy.store.liveness import RunLock
from replayproxy.store.recovery import recover
from replayproxy.store.reel import End, Item, Reel
from tests.builders import NOON, a_head, asking, chunks

KEY = b"k"

# some so large that two of them are digested before the end
pieces = st.binary(min_size=1, max_size=50) | st.binary(min_size=1, max_size=50).map(
    lambda some: (some * 40_000)[:40_000]
)
arrivals = st.lists(st.tuples(st.integers(0, 10**9), pieces), min_size=1, max_size=12).map(
    lambda found: [list(accumulate(gap for gap, _ in found)), [data for _, data in found]]
)


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> sqlite3.Connection:
    """One database for all examples, the same whether or not pytest closes it."""
    path = tmp_path_factory.mktemp("reel") / "a.db"
    opened = open_for_writing(path).conn
    opened.execute(
        "INSERT INTO runs (id, started_at, pid, version) VALUES (1, '2026-01-01', 1, '')"
    )
    opened.commit()
    return opened


def a_reel() -> Reel:
    return Reel(
        request=asking(),
        started_at=NOON,
        cassette="default",
        run_id=1,
        policy=Policy(),
        histories=Histories(),
    )


def as_it_is(exchange: Exchange) -> Exchange:
    return exchange


def newest(connection: sqlite3.Connection) -> int:
    (exchange_id,) = connection.execute("SELECT max(id) FROM exchanges").fetchone()
    return int(exchange_id)


def stored(connection: sqlite3.Connection) -> tuple[Exchange, tuple[Chunk, ...]]:
    exchange_id = newest(connection)
    exchange = read_exchange(connection, exchange_id)
    assert exchange is not None
    return exchange, read_chunks(connection, exchange_id)


@given(arrivals, st.data())
def test_any_chunks_come_back_however_they_are_cut_into_transactions(
    connection: sqlite3.Connection,
    arrived: tuple[list[int], list[bytes]],
    data: st.DataObject,
) -> None:
    expected = chunks(*zip(*arrived, strict=True))
    items: list[Item] = [a_head(), *expected]
    items.append(End(ending=Ending.FINISHED, offset_ns=expected[-1].offset_ns + 7))
    reel, taken = a_reel(), 0

    while taken < len(items):
        size = data.draw(st.integers(1, len(items)), label="items in a batch")
        reel.take(items[taken : taken + size], as_it_is)
        taken = min(taken + size, len(items))
        while data.draw(st.booleans(), label="the transaction fails"):
            reel.save(connection, KEY)
            connection.rollback()
        if taken == len(items) or data.draw(st.booleans(), label="there is a transaction"):
            reel.save(connection, KEY)
            connection.commit()
            reel.saved()
            assert stored(connection)[1] == expected[: taken - 1]

    exchange, found = stored(connection)
    assert reel.exchange is not None
    assert found == expected
    assert exchange == replace(
        reel.exchange,
        id=exchange.id,
        first_event_ns=exchange.first_event_ns,
        first_content_ns=exchange.first_content_ns,
    )
    assert exchange.end_offset_ns == expected[-1].offset_ns + 7
    assert journal.read(connection, newest(connection)) == (b"", b"")


def test_a_clock_that_goes_back_a_little_costs_the_later_chunks_nothing(
    connection: sqlite3.Connection,
) -> None:
    reel = a_reel()

    for batch in (chunks((500, b"a"), (300, b"b")), chunks((600, b"c"))):
        reel.take([*batch] if reel.last_offset_ns else [a_head(), *batch], as_it_is)
        reel.save(connection, KEY)
        connection.commit()
        reel.saved()

    assert stored(connection)[1] == chunks((500, b"a"), (500, b"b"), (600, b"c"))
    assert reel.last_offset_ns == 600


def test_what_one_exchange_brings_is_enriched_once_when_it_is_whole(
    connection: sqlite3.Connection,
) -> None:
    enriched: list[Exchange] = []

    def enrich(exchange: Exchange) -> Exchange:
        enriched.append(exchange)
        return replace(exchange, provider="somebody")

    reel = a_reel()
    reel.take([a_head()], enrich)
    assert enriched == []
    reel.take([End(ending=Ending.FINISHED, offset_ns=5)], enrich)
    reel.take([], enrich)
    reel.save(connection, KEY)
    connection.commit()

    assert len(enriched) == 1
    assert stored(connection)[0].provider == "somebody"


@settings(max_examples=30)
@given(arrivals, st.data())
def test_what_a_dead_run_left_is_kept_up_to_its_last_flush(
    tmp_path_factory: pytest.TempPathFactory,
    arrived: tuple[list[int], list[bytes]],
    data: st.DataObject,
) -> None:
    expected = chunks(*zip(*arrived, strict=True))
    flushed = data.draw(st.integers(0, len(expected)))
    path = tmp_path_factory.mktemp("dead") / "a.db"
    with closing(open_for_writing(path).conn) as connection:
        connection.execute("INSERT INTO runs VALUES (1, '2026-01-01', NULL, 1, '')")
        reel = a_reel()
        for batch in ([a_head()], expected[:flushed]):
            reel.take([*batch], as_it_is)
            reel.save(connection, KEY)
            reel.saved()
        connection.commit()

        lock = RunLock(path, 1)
        assert recover(connection, path, as_it_is) == 0
        lock.release()
        assert recover(connection, path, as_it_is) == 1
        assert recover(connection, path, as_it_is) == 0

        exchange, found = stored(connection)
        assert (exchange.outcome, exchange.ending) == ("interrupted", Ending.INTERRUPTED)
        assert exchange.error == "the recording did not end"
        assert found == expected[:flushed]
        assert exchange.end_offset_ns == (found[-1].offset_ns if found else a_head().offset_ns)
