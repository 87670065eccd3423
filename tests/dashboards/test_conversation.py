import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replayproxy.dashboard.conversation import (
    MAX_MESSAGES,
    MAX_TEXT,
    Message,
    read_choices,
    read_request,
)
from replayproxy.model import Answer, Choice, ToolCall


def read(body: object) -> tuple[Message, ...]:
    return read_request(json.dumps(body).encode()).messages


def outline(messages: tuple[Message, ...]) -> list[tuple[str, list[tuple[str, str]]]]:
    return [(m.role, [(part.kind, part.text) for part in m.parts]) for m in messages]


def test_openai_chat() -> None:
    messages = read(
        {
            "messages": [
                {"role": "system", "content": "s"},
                {"role": "user", "content": [{"type": "text", "text": "u"}]},
                {
                    "role": "assistant",
                    "content": None,
                    "reasoning_content": "r",
                    "tool_calls": [{"function": {"name": "f", "arguments": '{"a":1}'}}],
                },
                {"role": "tool", "tool_call_id": "c", "content": [{"type": "text", "text": "t"}]},
            ]
        }
    )

    assert outline(messages) == [
        ("system", [("text", "s")]),
        ("user", [("text", "u")]),
        ("assistant", [("reasoning", "r"), ("tool_call", '{\n  "a": 1\n}')]),
        ("tool", [("tool_result", "t")]),
    ]
    assert messages[2].parts[1].name == "f"
    assert messages[3].note == "c"


def test_anthropic_messages() -> None:
    messages = read(
        {
            "system": [{"type": "text", "text": "s"}],
            "messages": [
                {"role": "user", "content": "u"},
                {
                    "role": "assistant",
                    "content": [
                        {"type": "thinking", "thinking": "r"},
                        {"type": "tool_use", "id": "c", "name": "f", "input": {"a": 1}},
                    ],
                },
                {"role": "user", "content": [{"type": "tool_result", "content": "t"}]},
            ],
        }
    )

    assert outline(messages) == [
        ("system", [("text", "s")]),
        ("user", [("text", "u")]),
        ("assistant", [("reasoning", "r"), ("tool_call", '{\n  "a": 1\n}')]),
        ("user", [("tool_result", "t")]),
    ]


def test_openai_responses() -> None:
    messages = read(
        {
            "instructions": "s",
            "input": [
                {"role": "user", "content": [{"type": "input_text", "text": "u"}]},
                {"type": "reasoning", "summary": [{"type": "summary_text", "text": "r"}]},
                {"type": "function_call", "name": "f", "arguments": "{}"},
                {"type": "function_call_output", "output": "t"},
            ],
        }
    )

    assert outline(messages) == [
        ("system", [("text", "s")]),
        ("user", [("text", "u")]),
        ("assistant", [("reasoning", "r")]),
        ("assistant", [("tool_call", "{}")]),
        ("tool", [("tool_result", "t")]),
    ]
    assert outline(read({"input": "hi"})) == [("user", [("text", "hi")])]


@pytest.mark.parametrize(
    ("block", "says"),
    [
        ({"type": "image_url", "image_url": {"url": "https://h/a.png"}}, "https://h/a.png"),
        ({"type": "image_url", "image_url": "data:image/png;base64,AAAA"}, "image/png"),
        ({"type": "image", "source": {"media_type": "image/gif", "data": "AAAA"}}, "image/gif, 4"),
        ({"type": "input_file", "filename": "a.pdf"}, "a.pdf"),
    ],
)
def test_media_are_a_note_and_never_fetched(block: dict[str, Any], says: str) -> None:
    ((part,),) = (
        message.parts for message in read({"messages": [{"role": "user", "content": [block]}]})
    )

    assert part.kind == "media"
    assert part.text.startswith(says)


def test_settings_and_tools_are_told_apart_from_the_messages() -> None:
    body = {
        "model": "m",
        "messages": [],
        "temperature": 0.2,
        "tools": [{"name": "a"}, {"function": {"name": "b"}}],
    }

    asked = read_request(json.dumps(body).encode())

    assert asked.settings == (("temperature", "0.2"),)
    assert asked.tools == ("a", "b")


def test_long_conversations_and_texts_are_cut() -> None:
    many = [{"role": "user", "content": "x" * (MAX_TEXT + 7)}] * (MAX_MESSAGES + 5)

    asked = read_request(json.dumps({"messages": many}).encode())

    assert (len(asked.messages), asked.left_out) == (MAX_MESSAGES, 5)
    assert asked.messages[0].parts[0].left_out == 7


def test_choices_are_told_apart() -> None:
    answer = Answer(
        choices=(
            Choice(index=0, text="a", finish_reason="stop"),
            Choice(index=1, refusal="no", tool_calls=(ToolCall(name="f", arguments="{"),)),
        )
    )

    first, second = read_choices(answer)

    assert first.note == "choice 0, stop"
    assert [part.kind for part in second.parts] == ["refusal", "tool_call"]


NAMES = """messages input content role type text tool_calls function name arguments system source
image_url url tools summary output""".split()
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(NAMES), inner),
    max_leaves=30,
)


@given(JSON)
def test_no_json_makes_it_raise(body: object) -> None:
    read_request(json.dumps(body).encode())


@given(st.binary())
def test_no_bytes_make_it_raise(body: bytes) -> None:
    read_request(body)
