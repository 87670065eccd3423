"""Anthropic messages, streamed and whole."""

from decimal import Decimal

import pytest

from replayproxy.model import Answer, Choice, ToolCall, Usage
from replayproxy.protocols import by_name
from tests.protocols.streams import Read, event, read_body, read_stream, typed

MESSAGES = by_name("anthropic_messages")
PING = typed({"type": "ping"})
STOP = typed({"type": "message_stop"})


def start(**usage: object) -> bytes:
    message: dict[str, object] = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-haiku-4-5",
        "content": [],
        "stop_reason": None,
        "usage": usage,
    }
    return typed({"type": "message_start", "message": message})


def block(index: int, **content: object) -> bytes:
    return typed({"type": "content_block_start", "index": index, "content_block": content})


def delta(index: int, kind: str, **fields: object) -> bytes:
    change = {"type": kind, **fields}
    return typed({"type": "content_block_delta", "index": index, "delta": change})


def end(reason: str | None, **usage: object) -> bytes:
    return typed({"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage})


def read(*pieces: bytes) -> Read:
    return read_stream(MESSAGES, *pieces)


def test_a_stream_with_thinking_text_and_a_tool_is_read_whole() -> None:
    got = read(
        start(
            input_tokens=10,
            cache_creation_input_tokens=20,
            cache_read_input_tokens=300,
            output_tokens=1,
        ),
        block(0, type="thinking", thinking="", signature=""),
        PING,
        delta(0, "thinking_delta", thinking="hm"),
        delta(0, "signature_delta", signature="Eo=="),
        typed({"type": "content_block_stop", "index": 0}),
        block(1, type="text", text=""),
        delta(1, "text_delta", text="Hel"),
        delta(1, "text_delta", text="lo"),
        delta(1, "citations_delta", citation={}),
        block(2, type="tool_use", id="toolu_1", name="get_weather", input={}),
        delta(2, "input_json_delta", partial_json=""),
        delta(2, "input_json_delta", partial_json='{"city": '),
        delta(2, "input_json_delta", partial_json='"Rom"}'),
        end("tool_use", output_tokens=92, output_tokens_details={"thinking_tokens": 53}),
        STOP,
    )

    assert [at for at, is_content in enumerate(got.content) if is_content] == [7, 8, 10, 12, 13]
    assert got.answer == Answer(
        choices=(
            Choice(
                role="assistant",
                text="Hello",
                reasoning="hm",
                tool_calls=(
                    ToolCall(id="toolu_1", name="get_weather", arguments='{"city": "Rom"}'),
                ),
                finish_reason="tool_use",
            ),
        ),
        usage=Usage(
            input_tokens=330,
            output_tokens=92,
            cache_read_tokens=300,
            cache_write_tokens=20,
            reasoning_tokens=53,
        ),
        response_model="claude-haiku-4-5",
        response_id="msg_1",
        complete=True,
    )


def test_input_tokens_include_the_cache_once_however_often_they_are_told() -> None:
    usage = {"input_tokens": 10, "cache_read_input_tokens": 300, "output_tokens": 1}
    got = read(start(**usage), end("end_turn", **usage), end(None, output_tokens=9))

    assert got.answer.usage == Usage(input_tokens=310, output_tokens=9, cache_read_tokens=300)
    assert got.answer.finish_reason == "end_turn"


def test_without_input_tokens_their_sum_is_unknown() -> None:
    assert read(start(cache_read_input_tokens=300)).answer.usage == Usage(cache_read_tokens=300)


def test_an_absurd_count_is_unknown() -> None:
    usage = read(
        start(input_tokens=-1, output_tokens="7", cache_read_input_tokens=True)
    ).answer.usage

    assert usage == Usage(
        problems=(
            ("input_tokens", "input_tokens is -1"),
            ("output_tokens", 'output_tokens is "7"'),
            ("cache_read_tokens", "cache_read_input_tokens is true"),
        )
    )


def test_a_cache_kept_for_an_hour_and_searches_are_counted_for_they_cost_more() -> None:
    usage = read(
        start(
            input_tokens=5,
            cache_creation_input_tokens=30,
            cache_creation={"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20},
            server_tool_use={"web_search_requests": 2},
        )
    ).answer.usage

    assert usage == Usage(
        input_tokens=35, cache_write_tokens=30, cache_write_1h_tokens=20, web_searches=2
    )


def test_a_cost_that_a_gateway_adds_is_taken() -> None:
    assert read(end("end_turn", cost=0.5)).answer.reported_cost_usd == Decimal("0.5")


@pytest.mark.parametrize(
    "piece",
    [
        typed({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
        event({"error": {"message": "Overloaded"}}, name="error"),
        event("Overloaded", name="error"),
    ],
)
def test_an_error_event_is_told_and_is_no_terminal(piece: bytes) -> None:
    answer = read(start(), delta(0, "text_delta", text="so f"), piece).answer

    assert answer.error == "Overloaded"
    assert answer.choices[0].text == "so f"
    assert not answer.complete


@pytest.mark.parametrize("tail", [b"", b'event: message_stop\ndata: {"type": "mess'])
def test_without_message_stop_a_stream_is_not_complete(tail: bytes) -> None:
    assert not read(start(), end("end_turn"), tail).answer.complete


def test_the_event_name_serves_where_the_data_has_no_type() -> None:
    assert read(event({}, name="message_stop")).answer.complete


def test_a_call_of_a_tool_of_the_server_is_a_call() -> None:
    got = read(
        block(0, type="server_tool_use", id="srv_1", name="web_search", input={"query": "x"})
    )

    assert got.answer.choices[0].tool_calls == (
        ToolCall(id="srv_1", name="web_search", arguments='{"query":"x"}'),
    )


def test_odd_events_are_tolerated() -> None:
    got = read(
        event("[DONE]"),
        event([]),
        typed({"type": "message_start", "message": None}),
        typed({"type": "content_block_start", "index": "x"}),
        typed({"type": "content_block_delta", "index": 0, "delta": {"type": "new_delta"}}),
        typed({"type": "content_block_delta", "delta": {"type": "text_delta", "text": 7}}),
        typed({"type": "message_delta"}),
        delta(0, "input_json_delta", partial_json="{}"),
    )

    assert got.content == [False] * 7 + [True]
    assert got.answer.choices == (Choice(tool_calls=(ToolCall(arguments="{}"),)),)


def test_a_whole_body_is_read_but_never_complete() -> None:
    answer = read_body(
        MESSAGES,
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "claude-haiku-4-5",
            "content": [
                {"type": "thinking", "thinking": "hm"},
                {"type": "text", "text": "Hi"},
                {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}},
                None,
            ],
            "stop_reason": "end_turn",
            "usage": {"input_tokens": 3, "output_tokens": 4},
        },
    )

    assert answer == Answer(
        choices=(
            Choice(
                role="assistant",
                text="Hi",
                reasoning="hm",
                tool_calls=(ToolCall(id="toolu_1", name="f", arguments="{}"),),
                finish_reason="end_turn",
            ),
        ),
        usage=Usage(input_tokens=3, output_tokens=4),
        response_model="claude-haiku-4-5",
        response_id="msg_1",
        complete=False,
    )


def test_an_error_body_is_read_in_the_shape_it_is_written() -> None:
    body = MESSAGES.error_body(message="not recorded", code="replay_miss")

    assert body == {"type": "error", "error": {"type": "replay_miss", "message": "not recorded"}}
    assert read_body(MESSAGES, body) == Answer(error="not recorded")
