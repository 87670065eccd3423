"""The values everything speaks in."""

from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replayproxy.model import Answer, Choice, Usage, header, without
from tests.builders import a_request

counts = st.none() | st.integers(0, 2**53)
usages = st.builds(
    Usage,
    input_tokens=counts,
    output_tokens=counts,
    cache_read_tokens=counts,
    cache_write_tokens=counts,
    reasoning_tokens=counts,
)


def test_a_value_cannot_be_changed() -> None:
    request = a_request()

    with pytest.raises(FrozenInstanceError):
        request.path = "/elsewhere"  # type: ignore[misc]


def test_a_target_has_a_question_mark_only_with_a_query() -> None:
    assert a_request(path="/v1/models").target == "/v1/models"
    assert a_request(path="/v1/models", query="limit=2").target == "/v1/models?limit=2"


@given(usages, usages)
def test_the_later_count_wins_where_there_is_one(earlier: Usage, later: Usage) -> None:
    updated = earlier.updated(later)

    for name in Usage.__dataclass_fields__:
        old, new, got = (getattr(usage, name) for usage in (earlier, later, updated))
        assert got == (old if new is None else new)


def test_zero_is_a_count() -> None:
    assert Usage(input_tokens=9).updated(Usage(input_tokens=0)) == Usage(input_tokens=0)


def test_the_first_reason_any_choice_gives_is_the_answers() -> None:
    choices = (Choice(index=0), Choice(index=1, finish_reason="length"), Choice(finish_reason="x"))

    assert Answer(choices=choices).finish_reason == "length"
    assert Answer().finish_reason is None


def test_a_header_is_found_by_its_name_in_any_case_and_the_first_one_counts() -> None:
    headers = (("Date", "now"), ("X-A", "1"), ("x-a", "2"))

    assert header(headers, "X-a") == "1"
    assert header(headers, "x-b") is None


def test_headers_are_dropped_by_name_and_the_others_keep_their_order() -> None:
    headers = (("B", "1"), ("a", "2"), ("b", "3"), ("A", "4"))

    assert without(headers, ["b"]) == (("a", "2"), ("A", "4"))
    assert without(headers, ()) == headers
