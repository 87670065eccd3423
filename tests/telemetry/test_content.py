"""Content in the conventions' shape, whatever API it was written for."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replayproxy.model import Answer, Choice, ToolCall
from replayproxy.telemetry.content import content_of


def read(body: object, answer: Answer | None = None) -> dict[str, Any]:
    found = content_of(json.dumps(body).encode(), answer or Answer())
    return {name.removeprefix("gen_ai."): json.loads(value) for name, value in found.items()}


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "content": said}


def test_openai_chat_with_tools_and_pictures() -> None:
    body = {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is this?"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
                ],
            },
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "c1", "function": {"name": "look", "arguments": '{"a":1}'}}],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "a cat"},
        ],
        "tools": [{"type": "function", "function": {"name": "look"}}],
    }
    answer = Answer(
        choices=(
            Choice(
                role="assistant",
                text="A cat.",
                reasoning="Hm.",
                tool_calls=(ToolCall(id="c2", name="look", arguments="{broken"),),
                finish_reason="stop",
            ),
        )
    )

    assert read(body, answer) == {
        "input.messages": [
            {"role": "system", "parts": [text("Be brief.")]},
            {"role": "user", "parts": [text("What is this?"), {"type": "image_url"}]},
            {
                "role": "assistant",
                "parts": [{"type": "tool_call", "id": "c1", "name": "look", "arguments": {"a": 1}}],
            },
            {
                "role": "tool",
                "parts": [{"type": "tool_call_response", "id": "c1", "response": "a cat"}],
            },
        ],
        "output.messages": [
            {
                "role": "assistant",
                "parts": [
                    {"type": "reasoning", "content": "Hm."},
                    text("A cat."),
                    {"type": "tool_call", "id": "c2", "name": "look", "arguments": "{broken"},
                ],
                "finish_reason": "stop",
            }
        ],
        "tool.definitions": [{"type": "function", "function": {"name": "look"}}],
    }


def test_anthropic_messages() -> None:
    body = {
        "system": [{"type": "text", "text": "Be brief."}],
        "messages": [
            {"role": "user", "content": "Hi"},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "Hm."},
                    {"type": "tool_use", "id": "t1", "name": "look", "input": {"a": 1}},
                ],
            },
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "a cat"}],
            },
        ],
    }

    assert read(body) == {
        "system_instructions": [text("Be brief.")],
        "input.messages": [
            {"role": "user", "parts": [text("Hi")]},
            {
                "role": "assistant",
                "parts": [
                    {"type": "reasoning", "content": "Hm."},
                    {"type": "tool_call", "id": "t1", "name": "look", "arguments": {"a": 1}},
                ],
            },
            {
                "role": "user",
                "parts": [{"type": "tool_call_response", "id": "t1", "response": "a cat"}],
            },
        ],
    }


def test_openai_responses() -> None:
    body = {
        "instructions": "Be brief.",
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
            {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": "a cat"},
        ],
    }

    assert read(body) == {
        "system_instructions": [text("Be brief.")],
        "input.messages": [
            {"role": "user", "parts": [text("Hi")]},
            {
                "role": "assistant",
                "parts": [{"type": "tool_call", "id": "c1", "name": "look", "arguments": {}}],
            },
            {
                "role": "tool",
                "parts": [{"type": "tool_call_response", "id": "c1", "response": "a cat"}],
            },
        ],
    }
    assert read({"input": "Hi"}) == {
        "input.messages": [{"role": "user", "parts": [text("Hi")]}],
    }


def test_gemini() -> None:
    body = {
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "contents": [
            {"role": "user", "parts": [{"text": "Hi"}, {"inlineData": {"data": "AAAA"}}]},
            {"role": "model", "parts": [{"functionCall": {"name": "look", "args": {"a": 1}}}]},
            {
                "role": "user",
                "parts": [{"functionResponse": {"name": "look", "response": {"b": 2}}}],
            },
        ],
    }

    assert read(body) == {
        "system_instructions": [text("Be brief.")],
        "input.messages": [
            {"role": "user", "parts": [text("Hi"), {"type": "unknown"}]},
            {
                "role": "assistant",
                "parts": [{"type": "tool_call", "id": None, "name": "look", "arguments": {"a": 1}}],
            },
            {
                "role": "user",
                "parts": [{"type": "tool_call_response", "id": None, "response": {"b": 2}}],
            },
        ],
    }


@pytest.mark.parametrize("body", [b"", b"not json", b"[]", b'{"messages": 7, "tools": null}'])
def test_a_body_that_is_no_conversation_has_no_content(body: bytes) -> None:
    assert content_of(body, Answer()) == {}


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["messages", "role", "content", "parts", "type", "text", "input", "system", "tools"]
                + ["tool_calls", "function", "functionCall", "arguments", "thinking", "contents"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(body=values)
def test_no_json_makes_it_raise(body: object) -> None:
    content_of(json.dumps(body).encode(), Answer())
