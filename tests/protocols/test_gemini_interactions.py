"""Gemini's interactions, in the shape that Google sends them."""

import pytest

from replayproxy.model import Answer, Choice, RequestParameters, ToolCall, Usage
from replayproxy.protocols import by_name
from tests.protocols.streams import Read, event, read_body, read_stream

INTERACTIONS = by_name("gemini_interactions")


def said(event_type: str, **fields: object) -> bytes:
    return event({"event_type": event_type, **fields}, name=event_type)


def interaction(status: str, **fields: object) -> dict[str, object]:
    return {"id": "v1_1", "model": "gemini-2.5-flash", "status": status, **fields}


def read(*pieces: bytes) -> Read:
    return read_stream(INTERACTIONS, *pieces)


USAGE = {
    "total_tokens": 252,
    "total_input_tokens": 9,
    "input_tokens_by_modality": [
        {"modality": "text", "tokens": 2},
        {"modality": "audio", "tokens": 7},
    ],
    "total_cached_tokens": 3,
    "total_output_tokens": 13,
    "total_tool_use_tokens": 10,
    "total_thought_tokens": 220,
}


def test_a_stream_is_read_whole() -> None:
    thought = {"type": "thought_summary", "content": {"text": "Let me see."}}

    got = read(
        said("interaction.created", interaction=interaction("in_progress")),
        said("step.start", index=0, step={"type": "thought"}),
        said("step.delta", index=0, delta=thought),
        said("step.start", index=1, step={"type": "model_output"}),
        said("step.delta", index=1, delta={"type": "text", "text": "Hel"}),
        said("step.delta", index=1, delta={"type": "text", "text": "lo"}),
        said("step.stop", index=1, metadata={"usage": {**USAGE, "total_output_tokens": 1}}),
        said(
            "interaction.completed",
            interaction=interaction("completed", usage=USAGE, service_tier="standard"),
        ),
        event("[DONE]", name="done"),
    )

    assert got.content == [False, False, False, False, True, True, False, False, False]
    assert got.answer == Answer(
        choices=(Choice(text="Hello", reasoning="Let me see.", finish_reason="completed"),),
        usage=Usage(
            input_tokens=9 + 10,
            output_tokens=13 + 220,
            cache_read_tokens=3,
            reasoning_tokens=220,
            input_audio_tokens=7,
        ),
        response_model="gemini-2.5-flash",
        response_id="v1_1",
        service_tier="standard",
        complete=True,
    )


def test_a_stream_that_ends_before_its_end_is_not_complete() -> None:
    answer = read(said("step.delta", index=0, delta={"type": "text", "text": "Hel"})).answer

    assert (answer.complete, answer.finish_reason, answer.usage) == (False, None, Usage())


def test_a_tool_call_is_content() -> None:
    call = {"type": "function_call", "id": "c1", "name": "look"}
    arguments = {"type": "function_call", "id": "c1", "arguments": {"at": 1}}

    got = read(said("step.start", index=0, step=call), said("step.delta", index=0, delta=arguments))

    assert got.content == [True, True]
    assert got.answer.choices[0].tool_calls == (
        ToolCall(id="c1", name="look", arguments='{"at":1}'),
    )


@pytest.mark.parametrize(
    "error",
    [
        said("error", error={"message": "overloaded", "code": "x"}),
        said("interaction.failed", interaction={"error": {"message": "overloaded"}}),
    ],
)
def test_an_error_is_told(error: bytes) -> None:
    assert read(error).answer.error == "overloaded"


def test_a_body_that_is_no_stream_is_read_and_never_complete() -> None:
    step = {"type": "model_output", "content": [{"type": "text", "text": "Hello"}]}

    answer = read_body(INTERACTIONS, interaction("completed", steps=[step], usage=USAGE))

    assert (answer.choices[0].text, answer.complete) == ("Hello", False)
    assert answer.usage.output_tokens == 233


def test_how_to_generate_stands_in_an_object_of_its_own() -> None:
    asked = {"model": "m", "generation_config": {"temperature": 0.7, "max_output_tokens": 64}}

    view = INTERACTIONS.read_request("/v1beta/interactions", {**asked, "temperature": 9})

    assert (view.model, view.parameters) == (
        "m",
        RequestParameters(temperature=0.7, max_tokens=64),
    )
