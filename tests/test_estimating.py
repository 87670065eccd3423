"""Estimates stand beside what was said, never in its place."""

import json

from replayproxy.estimating import SOURCE, estimated
from replayproxy.model import Answer, Choice, ToolCall, Usage, UsageEstimate

BODY = json.dumps(
    {
        "model": "gpt-4o",
        "messages": [
            {"role": "user", "content": "a" * 10},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "b" * 6},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
                ],
            },
        ],
    }
).encode()
ANSWER = Answer(
    choices=(Choice(text="c" * 5, reasoning="d", tool_calls=(ToolCall(arguments="{}"),)),)
)


def test_text_of_request_and_answer_is_counted() -> None:
    assert estimated(BODY, ANSWER) == UsageEstimate(input_tokens=4, output_tokens=2, source=SOURCE)


def test_only_what_was_not_said_is_estimated() -> None:
    said = Answer(choices=ANSWER.choices, usage=Usage(input_tokens=99))

    assert estimated(BODY, said) == UsageEstimate(output_tokens=2, source=SOURCE)
    assert estimated(BODY, Answer(usage=Usage(input_tokens=0, output_tokens=0))) is None


def test_pictures_in_base64_and_bodies_that_are_no_json_count_nothing() -> None:
    picture = b'{"messages": [{"content": "data:image/png;base64,AAAAAAAA"}]}'

    for body in (picture, b"", b"not json", b"[1, 2]"):
        assert estimated(body, Answer()) == UsageEstimate(
            input_tokens=0, output_tokens=0, source=SOURCE
        )
