"""Bodies by content."""

import hashlib
import json
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from replayproxy.store import bodies
from replayproxy.store.compression import compress
from replayproxy.store.connection import open_for_writing
from replayproxy.store.histories import MAX_HOPS, Histories


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(open_for_writing(tmp_path / "a.db").conn) as opened:
        yield opened


def count(connection: sqlite3.Connection) -> int:
    (number,) = connection.execute("SELECT count(*) FROM bodies").fetchone()
    return int(number)


def test_a_body_is_stored_and_found(connection: sqlite3.Connection) -> None:
    body_id = bodies.put(connection, b"hello")

    assert bodies.get(connection, body_id) == b"hello"


def test_equal_bodies_are_stored_once(connection: sqlite3.Connection) -> None:
    first, again = bodies.put(connection, b"hello"), bodies.put(connection, b"hello")
    other = bodies.put(connection, b"hello!")

    assert first == again != other
    assert count(connection) == 2


def test_an_empty_body_is_no_row(connection: sqlite3.Connection) -> None:
    assert bodies.put(connection, b"") is None
    assert bodies.put_compressed(connection, sha256=b"", size=0, data=b"") is None
    assert bodies.get(connection, None) == b""
    assert count(connection) == 0


def test_a_body_that_was_compressed_already_is_the_same_body(
    connection: sqlite3.Connection,
) -> None:
    sha256 = hashlib.sha256(b"hello").digest()

    first = bodies.put_compressed(connection, sha256=sha256, size=5, data=compress(b"hello"))
    again = bodies.put_compressed(connection, sha256=sha256, size=5, data=compress(b"hello"))

    assert first == again == bodies.put(connection, b"hello")
    assert bodies.get(connection, first) == b"hello"


def conversation(turns: int, *, seed: int = 0) -> list[bytes]:
    """What an agent sends: each time all it has sent before, and a little more."""
    texts = random.Random(seed)
    said = [f"{number}: {texts.randbytes(600).hex()}" for number in range(turns + 5)]
    return [json.dumps({"messages": said[: 5 + turn]}).encode() for turn in range(turns)]


def put_all(connection: sqlite3.Connection, sent: list[bytes]) -> list[int]:
    histories, ids = Histories(), []
    for data in sent:
        stored = bodies.put_next(connection, data, histories)
        assert stored is not None
        histories.remember(stored)
        ids.append(stored.id)
    return ids


def stored_bytes(connection: sqlite3.Connection) -> int:
    (size,) = connection.execute("SELECT sum(length(data)) FROM bodies").fetchone()
    return int(size)


def test_a_history_that_grows_takes_the_space_of_its_growth(
    connection: sqlite3.Connection,
) -> None:
    sent = conversation(40)

    ids = put_all(connection, sent)

    assert [bodies.get(connection, body_id) for body_id in ids] == sent
    by_themselves = sum(len(compress(data)) for data in sent)
    assert stored_bytes(connection) < by_themselves / 4
    assert max(len(bodies._chain(connection, body_id)) for body_id in ids) == MAX_HOPS + 1


def test_what_is_sent_again_is_stored_once_and_gone_on_from(
    connection: sqlite3.Connection,
) -> None:
    first, second = conversation(2)

    ids = put_all(connection, [first, first, second, first])

    assert ids[0] == ids[1] == ids[3]
    assert len(bodies._chain(connection, ids[2])) == 2


def test_a_body_that_went_away_meanwhile_is_not_stored_against(
    connection: sqlite3.Connection,
) -> None:
    first, second = conversation(2)
    histories = Histories()
    before = bodies.put_next(connection, first, histories)
    assert before is not None
    histories.remember(before)
    connection.execute("DELETE FROM bodies")
    bodies.put(connection, b"another one, that may get its id")

    after = bodies.put_next(connection, second, histories)

    assert after is not None
    assert bodies.get(connection, after.id) == second


@given(st.data())
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whichever_goes_the_others_can_be_read(
    connection: sqlite3.Connection, data: st.DataObject
) -> None:
    connection.execute("DELETE FROM bodies")
    sent = conversation(12, seed=data.draw(st.integers()))
    left = dict(zip(put_all(connection, sent), sent, strict=True))

    for body_id in data.draw(st.permutations(list(left)))[:10]:
        bodies.stand_alone(connection, body_id)
        connection.execute("DELETE FROM bodies WHERE id = ?", [body_id])
        del left[body_id]
        assert {one: bodies.get(connection, one) for one in left} == left
