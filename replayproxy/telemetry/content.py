"""What was said, as the GenAI conventions want it: only for those who opted in.

https://github.com/open-telemetry/semantic-conventions-genai (the JSON schemas of
messages). Pictures and sound are named, not sent.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from replayproxy.json_text import UNREADABLE, parse_json
from replayproxy.model import Answer, Choice
from replayproxy.protocols.untrusted import Json, as_list, as_object, as_text
from replayproxy.telemetry import names

type Part = dict[str, Any]

_ROLES = {"model": "assistant", "function": "tool"}
_CALLS = frozenset({"tool_use", "server_tool_use", "function_call", "custom_tool_call"})
_RESULTS = frozenset({"tool_result", "function_call_output", "custom_tool_call_output"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request body as the conventions have it; empty for one that is no conversation."""

    system: list[Part] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)
    tools: list[Any] = field(default_factory=list)


def asked_of(body: object) -> Asked:
    """What a parsed request body says."""
    asked = as_object(body)
    said = asked.get("messages") or asked.get("input") or asked.get("contents")
    system = asked.get("system") or asked.get("instructions") or asked.get("systemInstruction")
    return Asked(
        system=list(_parts(system)),
        messages=list(_messages(said or asked.get("prompt"))),
        tools=list(as_list(asked.get("tools"))),
    )


def content_of(request_body: bytes, answer: Answer) -> dict[str, str]:
    """The content attributes of an exchange, each as JSON; what is not there is left out."""
    asked = asked_of(parse_json(request_body) if request_body else UNREADABLE)
    found: dict[str, list[Any]] = {
        names.SYSTEM_INSTRUCTIONS: asked.system,
        names.INPUT_MESSAGES: asked.messages,
        names.OUTPUT_MESSAGES: [_choice(choice) for choice in answer.choices],
        names.TOOL_DEFINITIONS: asked.tools,
    }
    return {
        name: json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        for name, value in found.items()
        if value
    }


def _messages(said: object) -> Iterator[dict[str, Any]]:
    if isinstance(said, str):
        yield {"role": "user", "parts": [_text(said)]}
    for item in map(as_object, as_list(said)):
        role = as_text(item.get("role"))
        if role is None:  # an item of OpenAI's Responses that is no message
            parts = list(_parts(item))
            is_call = any(part["type"] in {"tool_call", "reasoning"} for part in parts)
            yield {"role": "assistant" if is_call or not parts else "tool", "parts": parts}
        else:
            yield {"role": _ROLES.get(role, role), "parts": _of_message(item, role)}


def _of_message(message: Json, role: str) -> list[Part]:
    content = message.get("content", message.get("parts"))
    if role in {"tool", "function"}:
        return [_result(message.get("tool_call_id"), content)]
    parts = list(_parts(content))
    for call in map(as_object, as_list(message.get("tool_calls"))):
        function = as_object(call.get("function"))
        parts.append(_call(call.get("id"), function.get("name"), function.get("arguments")))
    return parts


def _parts(content: object) -> Iterator[Part]:
    if isinstance(content, str):
        if content:
            yield _text(content)
    elif isinstance(content, list):
        for item in content:
            yield from _parts(item)
    elif isinstance(content, dict):
        if "parts" in content:  # Gemini's systemInstruction
            yield from _parts(content["parts"])
        else:
            yield _part(content)


def _part(block: Json) -> Part:
    kind = as_text(block.get("type"))
    if kind in _CALLS:
        given = block.get("input", block.get("arguments"))
        return _call(block.get("call_id") or block.get("id"), block.get("name"), given)
    if kind in _RESULTS:
        given = block.get("content", block.get("output"))
        return _result(block.get("tool_use_id") or block.get("call_id"), given)
    if call := as_object(block.get("functionCall")):
        return _call(call.get("id"), call.get("name"), call.get("args"))
    if result := as_object(block.get("functionResponse")):
        return _result(result.get("id"), result.get("response"))
    if (thought := as_text(block.get("thinking"))) is not None:
        return {"type": "reasoning", "content": thought}
    if (text := as_text(block.get("text"))) is not None:
        return _text(text)
    return {"type": kind or "unknown"}


def _choice(choice: Choice) -> dict[str, Any]:
    parts = [{"type": "reasoning", "content": choice.reasoning}] if choice.reasoning else []
    parts += [_text(text) for text in (choice.text, choice.refusal) if text]
    parts += [_call(call.id, call.name, call.arguments) for call in choice.tool_calls]
    return {
        "role": _ROLES.get(choice.role or "", choice.role or "assistant"),
        "parts": parts,
        "finish_reason": choice.finish_reason or "error",
    }


def _text(text: str) -> Part:
    return {"type": "text", "content": text}


def _call(call_id: object, name: object, arguments: object) -> Part:
    parsed = parse_json(arguments) if isinstance(arguments, str) else arguments
    return {
        "type": "tool_call",
        "id": as_text(call_id),
        "name": as_text(name) or "",
        "arguments": arguments if parsed is UNREADABLE else parsed,
    }


def _result(call_id: object, response: object) -> Part:
    return {"type": "tool_call_response", "id": as_text(call_id), "response": response}
