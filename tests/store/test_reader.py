"""Reading what was recorded, and what a replay looks for."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from replayproxy.errors import DatabaseError, UnknownExchangeError
from replayproxy.matching import match_key
from replayproxy.model import Ending, Outcome
from replayproxy.store import Store, Writer
from tests.builders import DONE, a_head, asking, chunks, eventually, record, says, written
from tests.store.test_connection import damage

HELLO = chunks((5, says("Hello")), (9, DONE))


def test_exchanges_come_oldest_first_and_by_cassette(tmp_path: Path) -> None:
    path = written(
        tmp_path / "a.db",
        {"request": asking("one"), "cassette": "b"},
        {"request": asking("two"), "cassette": "a"},
        {"request": asking("three"), "cassette": "b"},
    )

    with Store(path) as store:
        assert [row["id"] for row in store.rows()] == [1, 2, 3]
        assert [row["id"] for row in store.rows(cassette="b")] == [1, 3]
        assert list(store.rows(cassette="none")) == []
        assert store.cassettes() == ["a", "b"]


def test_a_row_has_the_match_key(tmp_path: Path) -> None:
    path = written(tmp_path / "a.db", {"request": asking("one"), "body": HELLO})

    with Store(path) as store:
        (row,) = store.rows()
        assert store.row(1) == {**row, "match_key": match_key(asking("one"))}


def test_an_id_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    path = written(tmp_path / "a.db")

    with Store(path) as store:
        for ask in (store.exchange, store.row):
            with pytest.raises(UnknownExchangeError) as raised:
                ask(7)
            assert str(raised.value) == (
                f"{path} has no exchange 7. See what is there with: replayproxy list --db {path}"
            )
        assert store.chunks(7) == ()


def test_an_exchange_without_a_response_has_no_head_and_no_chunks(tmp_path: Path) -> None:
    path = written(tmp_path / "a.db", {"head": None, "ending": Ending.UPSTREAM_CLOSED})

    with Store(path) as store:
        exchange = store.exchange(1)
        assert (exchange.head, exchange.outcome) == (None, Outcome.UPSTREAM_CLOSED)
        assert store.chunks(1) == ()


def test_a_stream_in_flight_without_bytes_has_no_chunks(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "a.db")
    record(writer, ending=None, head=a_head())
    with Store(tmp_path / "a.db") as store:
        eventually(lambda: list(store.rows()))

        assert store.chunks(1) == ()
        assert store.exchange(1).outcome is None
    writer.close()


READS: dict[str, Callable[[Store], object]] = {
    "rows": lambda store: list(store.rows()),
    "row": lambda store: store.row(1),
    "exchange": lambda store: store.exchange(1),
    "chunks": lambda store: store.chunks(1),
    "misses": lambda store: list(store.misses()),
    "match keys": lambda store: store.match_keys(1),
    "cassettes": lambda store: store.cassettes(),
}


@pytest.mark.parametrize("read", READS)
def test_damaged_pages_are_reported_in_our_words(tmp_path: Path, read: str) -> None:
    path = written(tmp_path / "a.db", *({"body": HELLO} for _ in range(60)))
    with Store(path) as store:
        damage(path, first_page=1)

        with pytest.raises(DatabaseError, match="may be damaged"):
            READS[read](store)


def test_a_damaged_body_is_reported_in_our_words(tmp_path: Path) -> None:
    path = written(tmp_path / "a.db", {"body": HELLO})
    with closing(sqlite3.connect(path)) as other:
        other.execute("UPDATE bodies SET data = x'00'")
        other.commit()

    with Store(path) as store, pytest.raises(DatabaseError, match="may be damaged"):
        store.chunks(1)
