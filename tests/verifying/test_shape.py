"""The structure of JSON: what counts as another one, and what does not."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replayproxy.verifying.shape import changes, shape_of

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.just("type"), inner),
    max_leaves=20,
)


def told(recorded: Any, live: Any) -> list[tuple[str, str, str]]:
    return list(changes(shape_of([recorded]), shape_of([live])))


@pytest.mark.parametrize(
    ("recorded", "live"),
    [
        ({"a": 1, "b": "x"}, {"b": "y", "a": 2.5}),
        ({"a": None}, {"a": {"b": 1}}),
        ({"a": {"b": 1}}, {"a": None}),
        ({"data": [{"id": "a"}]}, {"data": []}),
        ({"data": []}, {"data": [{"id": "a"}]}),
        ([{"id": 1}], [{"id": 2}, {"id": 3}]),
        ({"input": {"city": "Rome"}}, {"input": {"town": 7}}),
        ({"metadata": {"a": "b"}}, {"metadata": {}}),
        ("a", "b"),
    ],
)
def test_values_null_empty_lists_and_what_a_model_makes_up_are_no_change(
    recorded: Any, live: Any
) -> None:
    assert told(recorded, live) == []


@pytest.mark.parametrize(
    ("recorded", "live", "expected"),
    [
        ({"a": 1}, {"a": "1"}, ("changed", "$.a", "number -> string")),
        ({"a": True}, {"a": 1}, ("changed", "$.a", "boolean -> number")),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}, ("gone", "$.a.c", "number")),
        ({"a": {"b": 1}}, {"a": {"b": 1, "c": [2]}}, ("new", "$.a.c", "array")),
        ({"a b": 1, "c": 1}, {"c": 1}, ("gone", "$.'a b'", "number")),
        ([[1]], [["1"]], ("changed", "$[][]", "number -> string")),
        (
            {"content": [{"type": "text", "text": "a"}, {"type": "tool_use", "id": "1"}]},
            {"content": [{"type": "text", "text": "b"}]},
            ("gone", "$.content[type=tool_use]", "object"),
        ),
        (
            {"content": [{"type": "text", "text": "a"}]},
            {"content": [{"type": "text", "words": "b", "text": "b"}]},
            ("new", "$.content[type=text].words", "string"),
        ),
        ([1, "a"], [1, "a", None, False], ("changed", "$[]", "number or string -> boolean or ")),
    ],
)
def test_a_change_says_where(recorded: Any, live: Any, expected: tuple[str, str, str]) -> None:
    (found,) = told(recorded, live)

    assert found[:2] == expected[:2]
    assert found[2].startswith(expected[2])


@given(JSON, JSON)
def test_whatever_is_compared_is_like_itself_and_what_is_gone_is_new_the_other_way(
    a: Any, b: Any
) -> None:
    assert told(a, a) == []
    there, back = told(a, b), told(b, a)
    assert {w for change, w, _ in there if change == "gone"} == {
        w for change, w, _ in back if change == "new"
    }
