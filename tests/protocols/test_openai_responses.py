"""OpenAI Responses, streamed and whole."""

from decimal import Decimal

import pytest

from replayproxy.model import Answer, Choice, ToolCall, Usage
from replayproxy.protocols import by_name
from tests.protocols.streams import Read, event, read_body, read_stream, typed

RESPONSES = by_name("openai_responses")
USAGE = {
    "input_tokens": 11,
    "input_tokens_details": {"cached_tokens": 3},
    "output_tokens": 5,
    "output_tokens_details": {"reasoning_tokens": 2},
}
OUTPUT = [
    {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]},
    {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "output_text", "text": "pong"}, {"type": "refusal", "refusal": "no"}],
    },
    {"type": "function_call", "id": "fc_1", "call_id": "a", "name": "f", "arguments": "{}"},
    {"type": "custom_tool_call", "id": "ct_1", "name": "sql", "input": "select"},
    {"type": "web_search_call", "id": "ws_1"},
]
ANSWERED = Choice(
    role="assistant",
    text="pong",
    reasoning="hm",
    refusal="no",
    tool_calls=(
        ToolCall(id="a", name="f", arguments="{}"),
        ToolCall(id="ct_1", name="sql", arguments="select"),
    ),
    finish_reason="completed",
)


def response(kind: str, **fields: object) -> bytes:
    whole = {"id": "resp_1", "model": "gpt-5", "error": None, "usage": None, **fields}
    return typed({"type": f"response.{kind}", "response": whole})


def delta(kind: str, text: object, index: int = 0) -> bytes:
    return typed({"type": f"response.{kind}.delta", "output_index": index, "delta": text})


def added(index: int, **item: object) -> bytes:
    return typed({"type": "response.output_item.added", "output_index": index, "item": item})


def read(*pieces: bytes) -> Read:
    return read_stream(RESPONSES, *pieces)


def test_a_stream_is_read_whole() -> None:
    got = read(
        response("created", status="in_progress", model="gpt-5-alias"),
        delta("reasoning_summary_text", "h"),
        delta("reasoning_text", "m"),
        added(1, type="message", role="assistant"),
        delta("output_text", "po", 1),
        delta("output_text", "ng", 1),
        delta("refusal", "no", 1),
        added(2, type="function_call", id="fc_1", call_id="a", name="f", arguments=""),
        added(3, type="custom_tool_call", id="ct_1", name="sql", input=""),
        delta("function_call_arguments", "{", 2),
        delta("custom_tool_call_input", "select", 3),
        delta("function_call_arguments", "}", 2),
        typed({"type": "response.output_text.done", "text": "pong"}),
        response("completed", status="completed", usage=USAGE, output=OUTPUT),
    )

    content = [at for at, is_content in enumerate(got.content) if is_content]
    assert content == [4, 5, 6, 7, 8, 9, 10, 11]
    assert got.answer == Answer(
        choices=(ANSWERED,),
        usage=Usage(
            input_tokens=11,
            output_tokens=5,
            cache_read_tokens=3,
            reasoning_tokens=2,
            web_searches=1,
        ),
        response_model="gpt-5",
        response_id="resp_1",
        complete=True,
    )


def test_the_deltas_serve_where_the_last_response_has_no_output() -> None:
    answer = read(
        added(0, type="mcp_call", id="mcp_1", name="find"),
        delta("mcp_call_arguments", "{}"),
        delta("output_text", "pong", 1),
        response("completed", status="completed", output=[]),
    ).answer

    assert answer.choices == (
        Choice(
            text="pong",
            tool_calls=(ToolCall(id="mcp_1", name="find", arguments="{}"),),
            finish_reason="completed",
        ),
    )


def test_the_deltas_serve_where_the_last_response_leaves_something_out() -> None:
    final = [{"type": "message", "content": [{"type": "output_text", "text": "pong!"}]}]
    answer = read(
        delta("reasoning_text", "hm"),
        delta("output_text", "pong"),
        response("completed", output=final),
    ).answer

    assert answer.choices == (Choice(text="pong!", reasoning="hm"),)


def test_an_incomplete_response_is_complete_on_the_wire_and_says_why_it_ended() -> None:
    answer = read(
        delta("output_text", "po"),
        response(
            "incomplete",
            status="incomplete",
            incomplete_details={"reason": "max_output_tokens"},
        ),
    ).answer

    assert answer.complete
    assert answer.finish_reason == "max_output_tokens"


def test_a_failed_response_tells_its_error_over_an_earlier_one() -> None:
    error = {"code": "server_error", "message": "it broke"}
    answer = read(
        event({"type": "error", "message": "first"}, name="error"),
        response("failed", status="failed", error=error),
    ).answer

    assert (answer.error, answer.finish_reason, answer.complete) == ("it broke", "failed", True)


@pytest.mark.parametrize(
    "piece",
    [
        typed({"type": "error", "code": "rate_limit", "message": "slow down", "param": None}),
        typed({"type": "error", "error": {"message": "slow down"}}),
        event("slow down", name="error"),
    ],
)
def test_an_error_event_is_told_and_is_no_terminal(piece: bytes) -> None:
    answer = read(response("created"), piece).answer

    assert answer.error == "slow down"
    assert not answer.complete


@pytest.mark.parametrize("tail", [b"", b'event: response.completed\ndata: {"type": "resp'])
def test_without_a_terminal_a_stream_is_not_complete(tail: bytes) -> None:
    answer = read(response("created", status="in_progress"), tail).answer

    assert not answer.complete
    assert answer.finish_reason is None


def test_sound_is_content_and_its_transcript_is_the_text() -> None:
    got = read(delta("audio", "UklGRg=="), delta("audio.transcript", "hi"), delta("audio", None))

    assert got.content == [True, True, False]
    assert got.answer.choices == (Choice(text="hi"),)


def test_odd_events_are_tolerated() -> None:
    got = read(
        event("[DONE]"),
        event([]),
        event({"type": 7, "response": "x"}),
        delta("output_text", None),
        typed({"type": "response.output_item.added", "item": None}),
        response("in_progress", output=[None, {"type": "message", "content": "x"}], usage="x"),
        event({}, name="response.completed"),
    )

    assert got.content == [False] * 7
    assert got.answer == Answer(
        choices=(Choice(),), response_model="gpt-5", response_id="resp_1", complete=True
    )


def test_a_whole_body_is_read_but_never_complete() -> None:
    body = {
        "id": "resp_1",
        "model": "gpt-5",
        "status": "completed",
        "output": OUTPUT,
        "usage": USAGE | {"cost": 0.25},
    }

    assert read_body(RESPONSES, body) == Answer(
        choices=(ANSWERED,),
        usage=Usage(
            input_tokens=11,
            output_tokens=5,
            cache_read_tokens=3,
            reasoning_tokens=2,
            web_searches=1,
        ),
        response_model="gpt-5",
        response_id="resp_1",
        reported_cost_usd=Decimal("0.25"),
        complete=False,
    )


def test_reasoning_may_be_told_in_full_instead_of_as_a_summary() -> None:
    thought = {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "hm"}]}

    assert read_body(RESPONSES, {"output": [thought]}).choices == (Choice(reasoning="hm"),)


def test_a_queued_response_has_no_reason_to_finish() -> None:
    assert read_body(RESPONSES, {"id": "resp_1", "status": "queued"}).finish_reason is None


def test_an_error_body_is_read_in_the_shape_it_is_written() -> None:
    body = RESPONSES.error_body(message="not recorded", code="replay_miss")

    assert read_body(RESPONSES, body) == Answer(error="not recorded")


def test_web_searches_are_counted_for_they_are_paid_for_one_by_one() -> None:
    def call(action: object) -> dict[str, object]:
        return {"type": "web_search_call", "status": "completed", "action": action}

    output = [call({"type": "search"}), call({"type": "open_page"}), call(None)]

    answer = read_body(RESPONSES, {"status": "completed", "output": output})

    assert answer.usage == Usage(web_searches=2)
