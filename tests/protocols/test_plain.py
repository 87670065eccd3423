"""What is read of an exchange whose protocol we do not know."""

from decimal import Decimal

import pytest

from replayproxy.model import Answer, Choice, Usage
from replayproxy.protocols import RequestView, by_name, detect
from tests.protocols.streams import event, read_body, read_stream

PLAIN = by_name("http")


def test_model_usage_and_cost_of_a_body_are_taken_along() -> None:
    body = {
        "object": "list",
        "model": "text-embedding-3-small",
        "usage": {"prompt_tokens": 8, "total_tokens": 8, "cost": 0.001},
    }

    assert read_body(PLAIN, body) == Answer(
        usage=Usage(input_tokens=8),
        response_model="text-embedding-3-small",
        reported_cost_usd=Decimal("0.001"),
    )


@pytest.mark.parametrize("body", [None, [], "text", 7, {}, {"model": 7, "usage": [], "error": ""}])
def test_other_bodies_say_nothing(body: object) -> None:
    assert read_body(PLAIN, body) == Answer()


def test_a_stream_in_a_shape_we_do_not_know_has_no_end_and_no_text() -> None:
    got = read_stream(
        PLAIN,
        event({"event_type": "content.delta", "delta": {"text": "hi"}}),
        event({"id": "gen_1", "model": "m", "usage": {"completion_tokens": 2}}),
    )

    assert got.content == [False] * 2
    assert got.answer == Answer(
        usage=Usage(output_tokens=2), response_model="m", response_id="gen_1", complete=False
    )


def completion(text: object, **more: object) -> dict[str, object]:
    """What legacy completions answer, whole or as one event of a stream."""
    choice = {"text": text, "index": 0, "logprobs": None, "finish_reason": None, **more}
    return {"id": "cmpl-1", "object": "text_completion", "model": "m", "choices": [choice]}


def test_legacy_completions_are_streamed_with_their_text_their_usage_and_an_end() -> None:
    usage = {"prompt_tokens": 5, "completion_tokens": 7}

    got = read_stream(
        PLAIN,
        event(completion("Hel")),
        event(completion("lo")),
        event(completion("other", index=1)),
        event(completion("", finish_reason="length")),
        event({"id": "cmpl-1", "model": "m", "choices": [], "usage": usage}),
        event("[DONE]"),
    )

    assert got.content == [True, True, True, False, False, False]
    assert got.answer == Answer(
        choices=(
            Choice(index=0, text="Hello", finish_reason="length"),
            Choice(index=1, text="other"),
        ),
        usage=Usage(input_tokens=5, output_tokens=7),
        response_model="m",
        response_id="cmpl-1",
        complete=True,
    )


def test_a_whole_legacy_completion_is_read_too() -> None:
    body = {**completion("Hello", finish_reason="stop"), "usage": {"completion_tokens": 2}}

    assert read_body(PLAIN, body) == Answer(
        choices=(Choice(text="Hello", finish_reason="stop"),),
        usage=Usage(output_tokens=2),
        response_model="m",
        response_id="cmpl-1",
    )


def test_choices_without_text_are_left_alone() -> None:
    assert read_body(PLAIN, {"choices": [{"index": 0}, "a", completion(7), None]}) == Answer()


def test_a_list_of_models_says_nothing_of_one() -> None:
    body = {"object": "list", "data": [{"id": "anthropic/claude-sonnet-4", "object": "model"}]}

    assert read_body(detect("GET", "/v1/models"), body) == Answer()


@pytest.mark.parametrize(
    "piece",
    [event({"error": {"message": "broken"}}), event("broken", name="error")],
)
def test_an_error_in_a_stream_is_told(piece: bytes) -> None:
    assert read_stream(PLAIN, piece).answer == Answer(error="broken")


def test_an_error_body_is_read_in_the_shape_it_is_written() -> None:
    body = PLAIN.error_body(message="not recorded", code="replay_miss")

    assert read_body(PLAIN, body) == Answer(error="not recorded")


def test_the_model_of_a_request_is_read() -> None:
    asked = {"model": "m", "input": ["a", "b"]}

    assert PLAIN.read_request("/v1/embeddings", asked) == RequestView(model="m", stream=None)
