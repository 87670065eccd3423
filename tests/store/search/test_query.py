"""What a user types is never an error, whatever it is."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replayproxy.store.search import parse

HOSTILE = st.one_of(st.text(), st.text('"*-:^()+{}, ANDORNEAT\0a'))


@pytest.fixture(scope="module")
def table() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE VIRTUAL TABLE texts USING fts5(prompt, answer)")
        connection.execute("INSERT INTO texts VALUES ('is it raining in Lisbon', 'no, it is dry')")
        yield connection


def is_found(table: sqlite3.Connection, typed: str) -> bool:
    query = parse(typed)
    found = table.execute("SELECT 1 FROM texts WHERE texts MATCH ?", [query.expression])
    return bool(query) and found.fetchone() is not None


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("raining", True),
        ("RAINING lisbon", True),
        ("raining dry", True),
        ("raining snow", False),
        ("rain", False),
        ("rain*", True),
        ('"raining in"', True),
        ('"in raining"', False),
        ('"raining in li"*', True),
        ("raining -snow", True),
        ("raining -dry", False),
        ("raining -snow -dry", False),
        ("raining AND", False),  # a word like any other
        ("raining:", True),
        ('"raining', True),
        ("is/it", True),
    ],
)
def test_words_phrases_beginnings_and_what_must_not_be_there(
    table: sqlite3.Connection, typed: str, found: bool
) -> None:
    assert is_found(table, typed) is found


@pytest.mark.parametrize("typed", ["", " ", '"', '""', "*", "-", "-snow", "()", "\0", ":^"])
def test_without_a_word_there_is_nothing_to_look_for(typed: str) -> None:
    assert not parse(typed)


@given(typed=HOSTILE)
def test_nothing_that_is_typed_is_an_error(typed: str) -> None:
    with closing(sqlite3.connect(":memory:")) as table:
        table.execute("CREATE VIRTUAL TABLE texts USING fts5(prompt, answer)")
        if query := parse(typed):
            table.execute("SELECT 1 FROM texts WHERE texts MATCH ?", [query.expression]).fetchall()
