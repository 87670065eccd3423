"""What is read of an exchange whose protocol we do not know."""

from decimal import Decimal

import pytest

from replayproxy.model import Answer, Usage
from replayproxy.protocols import RequestView, by_name
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


def test_a_stream_is_never_complete_and_its_content_is_not_read() -> None:
    got = read_stream(
        PLAIN,
        event({"candidates": [{"content": {"parts": [{"text": "hi"}]}}]}),
        event({"id": "gen_1", "model": "m", "usage": {"completion_tokens": 2}}),
        event("[DONE]"),
    )

    assert got.content == [False] * 3
    assert got.answer == Answer(
        usage=Usage(output_tokens=2), response_model="m", response_id="gen_1", complete=False
    )


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
    assert PLAIN.read_request({"model": "m"}) == RequestView(model="m", stream=None)
