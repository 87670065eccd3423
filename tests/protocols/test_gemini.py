"""Gemini's generateContent, as SSE, as an array and as one object."""

from typing import Any

import pytest

from replayproxy.json_text import UNREADABLE
from replayproxy.model import Answer, Choice, ToolCall, Usage
from replayproxy.protocols import RequestView, by_name
from tests.protocols.streams import Read, event, read_body, read_stream

GEMINI = by_name("gemini")
VERTEX = "/v1/projects/p/locations/global/publishers/google/models/"


def said(*parts: object, finish: str | None = None, **more: object) -> dict[str, object]:
    """A response with one candidate; `index` 0 is left out, as Google does."""
    candidate: dict[str, object] = {"content": {"parts": list(parts), "role": "model"}}
    candidate |= {"finishReason": finish} if finish else {}
    candidate |= {"index": more.pop("index")} if "index" in more else {}
    return {"candidates": [candidate], "modelVersion": "gemini-2.5-flash", **more}


def told(**counts: object) -> dict[str, Any]:
    return {"usageMetadata": counts}


def read(*responses: object) -> Read:
    """As SSE with Google's line ends."""
    pieces = (event(response).replace(b"\n", b"\r\n") for response in responses)
    return read_stream(GEMINI, *pieces)


def usage_of(*usages: dict[str, object]) -> Usage:
    return read(*usages).answer.usage


THOUGHT = {"text": "hm", "thought": True}
CALL = {"functionCall": {"name": "get_weather", "args": {"city": "Köln"}}}


def test_a_stream_with_thoughts_text_and_calls_is_read_whole() -> None:
    got = read(
        said(THOUGHT, responseId="r1", **told(promptTokenCount=11, thoughtsTokenCount=50)),
        said({"text": "Hel"}, responseId="r1"),
        said({"text": "lo", "thoughtSignature": "Eo=="}, CALL),
        said({"functionCall": {"id": "c2", "name": "get_weather"}}),
        said(
            {"text": ""},
            finish="STOP",
            **told(
                promptTokenCount=10,
                cachedContentTokenCount=4,
                candidatesTokenCount=30,
                thoughtsTokenCount=70,
                totalTokenCount=110,
            ),
        ),
    )

    assert got.content == [False, True, True, True, False]
    assert got.answer == Answer(
        choices=(
            Choice(
                role="model",
                text="Hello",
                reasoning="hm",
                tool_calls=(
                    ToolCall(name="get_weather", arguments='{"city":"Köln"}'),
                    ToolCall(id="c2", name="get_weather", arguments="{}"),
                ),
                finish_reason="STOP",
            ),
        ),
        usage=Usage(input_tokens=10, output_tokens=100, cache_read_tokens=4, reasoning_tokens=70),
        response_model="gemini-2.5-flash",
        response_id="r1",
        complete=True,
    )


@pytest.mark.parametrize(
    ("path", "view"),
    [
        ("/v1beta/models/gemini-2.5-flash:generateContent", ("gemini-2.5-flash", False)),
        ("/v1beta/models/gemini-2.5-flash:streamGenerateContent", ("gemini-2.5-flash", True)),
        (f"{VERTEX}gemini-2.5-pro%40001:streamGenerateContent", ("gemini-2.5-pro@001", True)),
        ("/v1beta/tunedModels/mine:generateContent", ("mine", False)),
        ("/elsewhere", (None, None)),
    ],
)
@pytest.mark.parametrize("body", [{"contents": [], "model": "not this"}, UNREADABLE])
def test_model_and_streaming_are_said_by_the_path(
    path: str, view: tuple[str | None, bool | None], body: object
) -> None:
    assert GEMINI.read_request(path, body) == RequestView(model=view[0], stream=view[1])


def test_a_stream_is_complete_once_every_candidate_has_told_why_it_ended() -> None:
    first, second = said({"text": "a"}, finish="STOP"), said({"text": "b"}, index=1)
    end = said(finish="MAX_TOKENS", index=1)

    assert not read(said({"text": "a"})).answer.complete
    assert not read(first, second).answer.complete
    assert read(first, second, end).answer.complete
    assert [choice.text for choice in read(first, second, end).answer.choices] == ["a", "b"]


def test_an_unspecified_reason_is_none() -> None:
    answer = read(said({"text": "a"}, finish="FINISH_REASON_UNSPECIFIED")).answer

    assert answer.finish_reason is None
    assert not answer.complete


@pytest.mark.parametrize(
    ("feedback", "refusal"),
    [
        ({"blockReason": "SAFETY"}, "SAFETY"),
        ({"blockReason": "SAFETY", "blockReasonMessage": "not this"}, "not this"),
    ],
)
def test_a_blocked_prompt_is_a_refusal_and_the_whole_answer(feedback: object, refusal: str) -> None:
    got = read({"promptFeedback": feedback, **told(promptTokenCount=3)})

    assert got.content == [True]
    assert got.answer == Answer(
        choices=(Choice(refusal=refusal, finish_reason="SAFETY"),),
        usage=Usage(input_tokens=3),
        complete=True,
    )


def test_feedback_that_blocks_nothing_says_nothing() -> None:
    assert read({"promptFeedback": {"safetyRatings": []}}).answer == Answer()


def test_usage_is_cumulative_and_an_output_of_thoughts_only_counts() -> None:
    assert usage_of(
        told(promptTokenCount=9, candidatesTokenCount=1, thoughtsTokenCount=5),
        told(promptTokenCount=8, candidatesTokenCount=2),
    ) == Usage(input_tokens=8, output_tokens=7, reasoning_tokens=5)
    assert usage_of(told(thoughtsTokenCount=5)) == Usage(output_tokens=5, reasoning_tokens=5)


def test_the_results_of_googles_own_tools_are_input() -> None:
    assert usage_of(
        told(promptTokenCount=9, toolUsePromptTokenCount=100), told(promptTokenCount=9)
    ) == Usage(input_tokens=109)
    assert usage_of(told(toolUsePromptTokenCount=100)) == Usage()


def test_absurd_counts_are_unknown() -> None:
    assert usage_of(told(promptTokenCount=-1, candidatesTokenCount="7")) == Usage(
        problems=(
            ("input_tokens", "promptTokenCount is -1"),
            ("output_tokens", 'candidatesTokenCount is "7"'),
        )
    )


def test_audio_is_told_by_modality() -> None:
    text, audio = {"modality": "TEXT", "tokenCount": 2}, {"modality": "AUDIO", "tokenCount": 7}

    assert usage_of(
        told(
            promptTokenCount=9,
            promptTokensDetails=[text, audio],
            cachedContentTokenCount=2,
            cacheTokensDetails=[text],
            candidatesTokensDetails=[],
        )
    ) == Usage(input_tokens=9, cache_read_tokens=2, input_audio_tokens=7, cache_read_audio_tokens=0)


def test_a_picture_is_content_but_not_text() -> None:
    got = read(said({"inlineData": {"mimeType": "image/png", "data": "iVBO"}}))

    assert got.content == [True]
    assert got.answer.choices[0].text == ""


ARRAY = [said({"text": "Hel"}), said({"text": "lo"}, finish="STOP")]


@pytest.mark.parametrize("body", [ARRAY, said({"text": "Hello"}, finish="STOP")])
def test_without_sse_an_array_or_an_object_is_read_but_never_complete(body: object) -> None:
    assert read_body(GEMINI, body) == Answer(
        choices=(Choice(role="model", text="Hello", finish_reason="STOP"),),
        response_model="gemini-2.5-flash",
        complete=False,
    )


@pytest.mark.parametrize("body", [None, [], [None], "text", {}, {"candidates": [None, 7]}])
def test_odd_bodies_are_tolerated(body: object) -> None:
    assert read_body(GEMINI, body).choices in {(), (Choice(),)}


def test_an_error_is_told_in_a_stream_and_in_an_array() -> None:
    error = {"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}}

    answer = read(said({"text": "so f"}), error).answer

    assert (answer.error, answer.complete) == ("overloaded", False)
    assert read_body(GEMINI, [error]) == Answer(error="overloaded")
    assert read_stream(GEMINI, event("gone", name="error")).answer == Answer(error="gone")


def test_an_error_body_is_read_in_the_shape_it_is_written() -> None:
    body = GEMINI.error_body(message="not recorded", code="replay_miss")

    assert body["error"]["code"] == 404
    assert body["error"]["status"] == "NOT_FOUND"
    assert read_body(GEMINI, body) == Answer(error="not recorded")
