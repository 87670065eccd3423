"""Reading JSON that anyone may have written."""

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replayproxy.json_text import MAX_DEPTH, UNREADABLE, parse_json

documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def nested(depth: int, opening: str = "[", closing: str = "]") -> str:
    return opening * depth + closing * depth


@settings(deadline=None)
@given(documents)
def test_json_is_read_from_text_and_from_bytes(document: object) -> None:
    text = json.dumps(document)

    assert parse_json(text) == document
    assert parse_json(text.encode()) == document


@pytest.mark.parametrize(
    "data", ["", " ", "[DONE]", "{", '{"a":}', "data", b"\xff", b'"\xff"', b"\0"]
)
def test_what_is_not_json_is_unreadable(data: str | bytes) -> None:
    assert parse_json(data) is UNREADABLE


@given(st.binary() | st.text())
def test_nothing_makes_it_raise(data: bytes | str) -> None:
    parse_json(data)


@pytest.mark.parametrize("depth", [2_000, 200_000])
def test_deep_json_is_unreadable_whether_or_not_python_could_read_it(depth: int) -> None:
    assert parse_json(nested(depth)) is UNREADABLE
    assert parse_json(nested(depth).encode()) is UNREADABLE


def test_the_depth_has_an_exact_limit() -> None:
    assert parse_json(nested(MAX_DEPTH)) is not UNREADABLE
    assert parse_json(f"[[],{nested(MAX_DEPTH - 1)}]") is not UNREADABLE
    assert parse_json(nested(MAX_DEPTH + 1)) is UNREADABLE
    assert parse_json(b'{"a":' * MAX_DEPTH + b"1" + b"}" * MAX_DEPTH) is not UNREADABLE
    assert parse_json(b'{"a":' * (MAX_DEPTH + 1) + b"1" + b"}" * (MAX_DEPTH + 1)) is UNREADABLE


def test_many_brackets_side_by_side_or_in_strings_are_not_deep() -> None:
    assert parse_json("[" + ",".join(["[]"] * 500) + "]") == [[]] * 500
    assert parse_json(json.dumps("[" * 5_000)) == "[" * 5_000


def test_an_integer_too_long_for_python_is_unreadable() -> None:
    assert parse_json("9" * 5_000) is UNREADABLE


def test_nan_and_infinities_are_floats() -> None:
    value = parse_json('{"logprob": NaN, "low": -Infinity, "high": 1e999}')

    assert isinstance(value, dict)
    assert math.isnan(value["logprob"])
    assert (value["low"], value["high"]) == (-math.inf, math.inf)


def test_the_last_of_duplicate_keys_wins() -> None:
    assert parse_json('{"a": 1, "a": 2}') == {"a": 2}


def test_a_byte_order_mark_before_a_body_is_tolerated() -> None:
    assert parse_json(b"\xef\xbb\xbf[1]") == [1]


def test_lone_surrogates_survive() -> None:
    assert parse_json(rb'"\ud83d"') == "\ud83d"
    assert parse_json('"\ud83d"') == "\ud83d"
