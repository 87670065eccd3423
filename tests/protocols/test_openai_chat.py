"""Chat completions, as each provider really sends them."""

from decimal import Decimal
from typing import Any

import pytest

from replayproxy.model import Answer, Choice, ToolCall, Usage
from replayproxy.protocols import by_name
from replayproxy.protocols.openai_shapes import read_usage
from tests.protocols.streams import Read, event, read_body, read_stream

CHAT = by_name("openai_chat")
DONE = event("[DONE]")


def chunk(delta: object, *, index: int = 0, finish: str | None = None, **more: object) -> bytes:
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    return event({"id": "chatcmpl-1", "model": "gpt-4o", "choices": [choice], **more})


def call(**fields: object) -> bytes:
    """A fragment of a tool call: index, id, name, arguments."""
    function = {name: fields.pop(name) for name in ("name", "arguments") if name in fields}
    return chunk({"tool_calls": [{**fields, "function": function}]})


def read(*pieces: bytes) -> Read:
    return read_stream(CHAT, *pieces)


def only_choice(*pieces: bytes) -> Choice:
    (choice,) = read(*pieces).answer.choices
    return choice


def usage_of(*usages: object) -> Usage:
    return read(*(event({"choices": [], "usage": usage}) for usage in usages)).answer.usage


def test_a_stream_of_openai_is_read_whole() -> None:
    usage = {
        "prompt_tokens": 12,
        "completion_tokens": 5,
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 2},
    }

    got = read(
        chunk({"role": "assistant", "content": ""}, usage=None),
        chunk({"content": "Hel"}, usage=None),
        chunk({"content": "lo"}, usage=None),
        chunk({}, finish="stop", usage=None),
        event({"id": "chatcmpl-1", "model": "gpt-4o", "choices": [], "usage": usage}),
        DONE,
    )

    assert got.content == [False, True, True, False, False, False]
    assert got.answer == Answer(
        choices=(Choice(role="assistant", text="Hello", finish_reason="stop"),),
        usage=Usage(input_tokens=12, output_tokens=5, cache_read_tokens=4, reasoning_tokens=2),
        response_model="gpt-4o",
        response_id="chatcmpl-1",
        complete=True,
    )


def test_the_usage_chunk_of_aigateway_has_no_choices_and_a_cost() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7, "cost": 0.00012}

    got = read(chunk({"content": "hi"}), event({"usage": usage}), DONE)

    assert got.content == [True, False, False]
    assert got.answer.usage == Usage(input_tokens=3, output_tokens=4)
    assert got.answer.reported_cost_usd == Decimal("0.00012")


def test_cumulative_usage_is_never_summed() -> None:
    assert usage_of(
        {"prompt_tokens": 9, "completion_tokens": 1, "cost": 1},
        {"prompt_tokens": 9, "completion_tokens": 2, "cost": 2},
        {"completion_tokens": 3},
    ) == Usage(input_tokens=9, output_tokens=3)


def test_the_last_cost_counts() -> None:
    got = read(event({"usage": {"cost": 1}}), event({"usage": {"cost": 2}}), event({"usage": {}}))

    assert got.answer.reported_cost_usd == Decimal(2)


def test_the_tier_that_was_served_and_the_fingerprint_of_the_system_are_the_last_ones() -> None:
    answer = read(
        chunk({"content": "a"}, service_tier="auto", system_fingerprint="fp_1"),
        chunk({"content": "b"}, service_tier="default", system_fingerprint=None),
    ).answer

    assert (answer.service_tier, answer.system_fingerprint) == ("default", "fp_1")


def test_usage_that_is_missing_is_unknown() -> None:
    assert read(chunk({"content": "hi"}), DONE).answer.usage == Usage()
    assert usage_of(None, "none", 7, []) == Usage()


@pytest.mark.parametrize(
    ("absurd", "shown"),
    [
        (-1, "-1"),
        ("7", '"7"'),
        (7.0, "7.0"),
        (True, "true"),
        (2**53 + 1, "9007199254740993"),
        ([], "[]"),
        (float("nan"), "NaN"),
        ("x" * 99, '"' + "x" * 38 + "…"),
    ],
)
def test_an_absurd_count_is_unknown_and_named_and_leaves_the_others_alone(
    absurd: object, shown: str
) -> None:
    assert usage_of({"prompt_tokens": absurd, "completion_tokens": 7}) == Usage(
        output_tokens=7, problems=(("input_tokens", f"prompt_tokens is {shown}"),)
    )


def test_a_count_that_is_null_is_not_said() -> None:
    assert usage_of({"prompt_tokens": None, "completion_tokens": 7}) == Usage(output_tokens=7)


def test_the_last_value_wins_also_one_that_makes_no_sense() -> None:
    good, bad = {"usage": {"prompt_tokens": 9}}, {"usage": {"prompt_tokens": -9}}

    assert read(event(good), event(bad)).answer.usage == Usage(
        problems=(("input_tokens", "prompt_tokens is -9"),)
    )
    assert read(event(bad), event(good)).answer.usage == Usage(input_tokens=9)


def test_audio_tokens_are_parts_of_input_output_and_cache() -> None:
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 50,
        "prompt_tokens_details": {
            "audio_tokens": 60,
            "cached_tokens": 40,
            "cached_tokens_details": {"audio_tokens": 30, "text_tokens": 10},
        },
        "completion_tokens_details": {"audio_tokens": 45},
    }

    assert usage_of(usage) == Usage(
        input_tokens=100,
        output_tokens=50,
        cache_read_tokens=40,
        input_audio_tokens=60,
        output_audio_tokens=45,
        cache_read_audio_tokens=30,
    )


def test_an_integer_of_thousands_of_digits_is_named_by_its_type() -> None:
    usage = read_usage({"prompt_tokens": 10**5000})

    assert usage.problems == (("input_tokens", "prompt_tokens is unreadable (int)"),)


def test_zero_and_the_largest_exact_count_are_not_absurd() -> None:
    assert usage_of({"prompt_tokens": 2**53, "completion_tokens": 0}) == Usage(
        input_tokens=2**53, output_tokens=0
    )


@pytest.mark.parametrize("absurd", [-1, "0.1", True, None, {}, float("nan"), float("inf")])
def test_an_absurd_cost_is_unknown(absurd: object) -> None:
    answer = read(event({"usage": {"cost": absurd}})).answer

    assert answer.reported_cost_usd is None
    assert [name for name, _ in answer.usage.problems] == ["reported_cost_usd"] * (
        absurd is not None
    )


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_cache_hit_tokens": 5}, Usage(cache_read_tokens=5)),
        ({"cached_tokens": 5}, Usage(cache_read_tokens=5)),
        ({"prompt_tokens_details": {"cached_tokens": 0}}, Usage(cache_read_tokens=0)),
        ({"prompt_tokens_details": {"cache_write_tokens": 6}}, Usage(cache_write_tokens=6)),
        ({"cache_creation_input_tokens": 6}, Usage(cache_write_tokens=6)),
        (
            {"prompt_tokens_details": {"cache_creation_input_tokens": 6}},
            Usage(cache_write_tokens=6),
        ),
        ({"prompt_tokens_details": None, "completion_tokens_details": "?"}, Usage()),
    ],
)
def test_cache_counts_have_many_names(usage: dict[str, object], expected: Usage) -> None:
    assert usage_of(usage) == expected


def test_reasoning_that_is_counted_beside_the_output_is_added_to_it() -> None:
    xai = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 115}
    openai = {"prompt_tokens": 10, "completion_tokens": 105, "total_tokens": 115}
    details = {"completion_tokens_details": {"reasoning_tokens": 100}}
    expected = Usage(input_tokens=10, output_tokens=105, reasoning_tokens=100)

    assert usage_of(xai | details) == expected
    assert usage_of(openai | details) == expected


def test_groq_and_moonshot_have_places_of_their_own_for_usage() -> None:
    usage = {"prompt_tokens": 12, "completion_tokens": 26}
    expected = Usage(input_tokens=12, output_tokens=26)
    choice = {"index": 0, "delta": {}, "finish_reason": "stop", "usage": usage}

    groq = read(chunk({}, finish="stop", x_groq={"id": "req_1", "usage": usage}))
    moonshot = read(event({"choices": [choice]}))

    assert groq.answer.usage == expected
    assert moonshot.answer.usage == expected


def test_the_first_chunk_of_azure_and_its_filter_tail_say_nothing() -> None:
    head = {"id": "", "model": "", "prompt_filter_results": [{}], "choices": []}
    tail = {
        "id": "",
        "model": "",
        "choices": [{"index": 0, "content_filter_results": {}, "finish_reason": None}],
    }

    got = read(event(head), chunk({"content": "hi"}, finish="stop"), event(tail), DONE)

    assert got.answer.response_model == "gpt-4o"
    assert got.answer.response_id == "chatcmpl-1"
    assert got.answer.choices == (Choice(text="hi", finish_reason="stop"),)


def test_the_first_model_and_the_last_id_count() -> None:
    answer = read(
        event({"id": "a", "model": "first"}), event({"id": "b", "model": "second"})
    ).answer

    assert (answer.response_model, answer.response_id) == ("first", "b")


def test_parallel_tool_calls_are_assembled_by_index() -> None:
    got = read(
        call(index=0, id="a", name="get_weather", arguments=""),
        call(index=0, arguments='{"city"'),
        call(index=1, id="b", name="get_time", arguments=""),
        call(index=1, arguments="{"),
        call(index=0, arguments=': "Rom"}'),
        call(index=1, arguments="}"),
        chunk({}, finish="tool_calls"),
    )

    assert got.content == [True] * 6 + [False]
    assert got.answer.choices[0].tool_calls == (
        ToolCall(id="a", name="get_weather", arguments='{"city": "Rom"}'),
        ToolCall(id="b", name="get_time", arguments="{}"),
    )
    assert got.answer.finish_reason == "tool_calls"


@pytest.mark.parametrize(
    ("fragments", "expected"),
    [
        pytest.param(
            [{"id": "a", "name": "f", "arguments": "1"}, {"id": "b", "name": "f"}]
            + [{"id": "a", "arguments": "2"}],
            [ToolCall(id="a", name="f", arguments="12"), ToolCall(id="b", name="f")],
            id="no index: the id tells",
        ),
        pytest.param(
            [{"id": "a", "name": "f"}, {"arguments": "1"}, {"arguments": "2"}],
            [ToolCall(id="a", name="f", arguments="12")],
            id="neither index nor id: the last open one",
        ),
        pytest.param(
            [{"arguments": "1"}],
            [ToolCall(arguments="1")],
            id="nothing at all before it",
        ),
        pytest.param(
            [{"index": 3, "id": "a", "name": "f"}, {"index": 7, "id": "b", "name": "g"}],
            [ToolCall(id="a", name="f"), ToolCall(id="b", name="g")],
            id="a gap in the indexes",
        ),
        pytest.param(
            [{"index": 0, "id": "a", "name": "f", "arguments": "1"}]
            + [{"index": 0, "id": "b", "name": "f", "arguments": "2"}]
            + [{"index": 0, "arguments": "3"}, {"index": 0, "id": "a", "arguments": "4"}],
            [
                ToolCall(id="a", name="f", arguments="14"),
                ToolCall(id="b", name="f", arguments="23"),
            ],
            id="several ids on one index",
        ),
        pytest.param(
            [{"index": 0, "id": "a", "name": "f"}, {"index": 1, "id": "a", "name": "g"}],
            [ToolCall(id="a", name="f"), ToolCall(id="a", name="g")],
            id="one id on two indexes",
        ),
        pytest.param(
            [{"index": 0, "id": "a", "name": "f"}, {"id": "a", "arguments": "1"}],
            [ToolCall(id="a", name="f", arguments="1")],
            id="the index is left out later",
        ),
        pytest.param(
            [{"index": 0, "name": "f", "arguments": "1"}, {"index": 0, "id": "a"}],
            [ToolCall(id="a", name="f", arguments="1")],
            id="the id comes later",
        ),
        pytest.param(
            [{"index": 0, "id": "a", "name": "f", "arguments": ""}]
            + [{"index": 0, "id": "", "name": "", "arguments": "1"}]
            + [{"index": 0, "id": "a", "name": "f", "arguments": "2"}],
            [ToolCall(id="a", name="f", arguments="12")],
            id="empty or repeated id and name",
        ),
        pytest.param(
            [{"index": 0, "id": "a", "name": "get_"}, {"index": 0, "name": "weather"}],
            [ToolCall(id="a", name="get_weather")],
            id="the name in pieces",
        ),
        pytest.param(
            [{"name": "f", "arguments": "{}"}, {"name": "g", "arguments": "{}"}],
            [ToolCall(name="f", arguments="{}"), ToolCall(name="g", arguments="{}")],
            id="only names tell the calls apart",
        ),
        pytest.param(
            [{"index": "0", "id": 7, "name": None, "arguments": {"a": "é"}}],
            [ToolCall(arguments='{"a":"é"}')],
            id="wrong types, and arguments as an object",
        ),
    ],
)
def test_fragments_of_tool_calls_find_their_call(
    fragments: list[dict[str, Any]], expected: list[ToolCall]
) -> None:
    assert only_choice(*(call(**fragment) for fragment in fragments)).tool_calls == tuple(expected)


def test_a_tool_call_list_with_nothing_in_it_calls_nothing() -> None:
    got = read(chunk({"tool_calls": [None, {}, 7]}), chunk({"tool_calls": None}))

    assert got.content == [False, False]
    assert got.answer.choices[0].tool_calls == ()


def test_a_custom_tool_has_input_instead_of_arguments() -> None:
    custom = {"index": 0, "id": "a", "type": "custom", "custom": {"name": "sql", "input": "select"}}

    assert only_choice(chunk({"tool_calls": [custom]})).tool_calls == (
        ToolCall(id="a", name="sql", arguments="select"),
    )


def test_the_function_call_of_old_is_a_tool_call_without_an_id() -> None:
    got = only_choice(
        chunk({"role": "assistant", "content": None, "function_call": {"name": "f"}}),
        chunk({"function_call": {"arguments": '{"a"'}}),
        chunk({"function_call": {"arguments": ": 1}"}}),
        chunk({"function_call": None}, finish="function_call"),
    )

    assert got.tool_calls == (ToolCall(name="f", arguments='{"a": 1}'),)
    assert got.finish_reason == "function_call"


def test_odd_deltas_are_tolerated() -> None:
    got = read(
        chunk({"role": "assistant", "content": None}),
        chunk(None),
        chunk({"role": "assistant", "content": "a"}),
        chunk({"role": "tool", "content": 7}),
        chunk("text"),
        event({"choices": [None, {}, "x"]}),
        event({"choices": None}),
        event({"choices": {}}),
        event([]),
        event("{broken"),
        event("null"),
    )

    assert got.content == [False, False, True] + [False] * 8
    assert got.answer.choices == (Choice(role="assistant", text="a"),)


def test_content_may_be_a_list_of_parts() -> None:
    parts = [
        "a",
        {"type": "text", "text": "b"},
        {"type": "refusal", "refusal": "no"},
        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}, None]},
        {"type": "thinking", "thinking": "m"},
        {"type": "image_url"},
        None,
    ]

    assert only_choice(chunk({"content": parts})) == Choice(
        text="ab", refusal="no", reasoning="hmm"
    )


@pytest.mark.parametrize(
    "delta",
    [
        {"reasoning_content": "hm"},
        {"reasoning": "hm"},
        {"reasoning": "hm", "reasoning_details": [{"type": "reasoning.text", "text": "hm"}]},
        {"reasoning_content": "hm", "reasoning": "hm"},
        {"reasoning_details": [{"type": "reasoning.summary", "summary": "hm"}, None]},
        {"reasoning": None, "reasoning_details": [{"data": "..."}, {"text": "hm"}]},
    ],
)
def test_reasoning_is_taken_once_and_is_not_content(delta: dict[str, object]) -> None:
    got = read(chunk({"content": "", **delta}))

    assert got.content == [False]
    assert got.answer.choices == (Choice(reasoning="hm"),)


def test_a_refusal_is_content() -> None:
    got = read(chunk({"refusal": "I can"}), chunk({"refusal": "not"}))

    assert got.content == [True, True]
    assert got.answer.choices == (Choice(refusal="I cannot"),)


def test_sound_is_content_and_its_transcript_is_the_text() -> None:
    got = read(chunk({"audio": {"id": "x"}}), chunk({"audio": {"transcript": "hi"}}))
    sound = read(chunk({"audio": {"data": "UklGRg=="}}))

    assert got.content == [False, True]
    assert got.answer.choices == (Choice(text="hi"),)
    assert sound.content == [True]


def test_interleaved_choices_are_kept_apart() -> None:
    got = read(
        chunk({"content": "b"}, index=1),
        chunk({"content": "a"}, index=0),
        chunk({"content": "B"}, index=1),
        chunk({"content": "A"}, index=0),
        chunk({}, index=1, finish="length"),
        chunk({}, index=0, finish="stop"),
    )

    assert got.answer.choices == (
        Choice(index=0, text="aA", finish_reason="stop"),
        Choice(index=1, text="bB", finish_reason="length"),
    )


def test_choices_without_an_index_are_numbered_by_place() -> None:
    choices = [{"delta": {"content": "a"}}, {"index": "1", "delta": {"content": "b"}}]

    assert [c.text for c in read(event({"choices": choices})).answer.choices] == ["a", "b"]


def test_a_reason_that_is_taken_back_stays() -> None:
    assert only_choice(chunk({}, finish="stop"), chunk({"content": ""})).finish_reason == "stop"


@pytest.mark.parametrize(
    ("piece", "message"),
    [
        (event({"error": {"message": "overloaded", "code": 502}}), "overloaded"),
        (event({"error": {"message": "overloaded"}, "choices": []}), "overloaded"),
        (event({"error": "overloaded"}), "overloaded"),
        (event({"error": {"code": 502}}), '{"code":502}'),
        (event({"choices": [{"index": 0, "error": {"message": "overloaded"}}]}), "overloaded"),
        (event({"error": {"message": "overloaded"}}, name="error"), "overloaded"),
        (event({"message": "overloaded"}, name="error"), "overloaded"),
        (event({"detail": 1}, name="error"), '{"detail": 1}'),
        (event("overloaded", name="error"), "overloaded"),
        (event("", name="error"), "error"),
        (event({"error": None}), None),
        (event({"error": {}}), None),
        (event({"error": 7}), None),
    ],
)
def test_an_error_inside_a_200_is_told_even_before_done(piece: bytes, message: str | None) -> None:
    answer = read(chunk({"content": "so f"}), piece, DONE).answer

    assert answer.error == message
    assert answer.choices[0].text == "so f"
    assert answer.complete


def test_the_first_error_is_kept_and_an_error_is_no_terminal() -> None:
    answer = read(event({"error": "first"}), event({"error": "second"})).answer

    assert answer == Answer(error="first")


@pytest.mark.parametrize(
    "pieces", [[DONE], [DONE, DONE], [b"data:  [DONE] \n\n"], [b"data: [DONE]"]]
)
def test_done_completes_also_padded_twice_or_without_its_blank_line(pieces: list[bytes]) -> None:
    assert read(chunk({"content": "a"}), *pieces).answer.complete


@pytest.mark.parametrize("tail", [b"", b"data: [DONE", b": [DONE]\n\n"])
def test_without_done_a_stream_is_not_complete(tail: bytes) -> None:
    assert not read(chunk({"content": "a"}, finish="stop"), tail).answer.complete


def test_what_comes_after_done_is_still_read() -> None:
    answer = read(chunk({"content": "a"}), DONE, event({"usage": {"prompt_tokens": 1}})).answer

    assert answer.usage == Usage(input_tokens=1)


def test_a_surrogate_pair_torn_between_two_deltas_is_one_character() -> None:
    torn = [chunk({"content": "\ud83d"}), chunk({"content": "\ude00 \ud83d"})]

    assert only_choice(*torn).text == "\N{GRINNING FACE} \ufffd"


def test_a_whole_body_is_read_but_never_complete() -> None:
    calls = [
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}},
        {"type": "function", "function": {"name": "f", "arguments": "[]"}},
    ]
    message = {"role": "assistant", "content": "hi", "refusal": None, "tool_calls": calls}

    answer = read_body(
        CHAT,
        {
            "id": "chatcmpl-1",
            "model": "gpt-4o",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 2},
        },
    )

    assert answer == Answer(
        choices=(
            Choice(
                role="assistant",
                text="hi",
                tool_calls=(
                    ToolCall(id="a", name="f", arguments="{}"),
                    ToolCall(name="f", arguments="[]"),
                ),
                finish_reason="stop",
            ),
        ),
        usage=Usage(input_tokens=1, output_tokens=2),
        response_model="gpt-4o",
        response_id="chatcmpl-1",
        complete=False,
    )


def test_an_error_body_is_read() -> None:
    assert read_body(CHAT, {"error": {"message": "no such model"}}).error == "no such model"


def test_a_miss_is_told_in_the_shape_of_openai() -> None:
    assert CHAT.error_body(message="not recorded", code="replay_miss") == {
        "error": {
            "message": "not recorded",
            "type": "invalid_request_error",
            "param": None,
            "code": "replay_miss",
        }
    }
