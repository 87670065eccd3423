"""A request's and an answer's JSON as a conversation, whatever API it was written for.

OpenAI chat, OpenAI Responses and Anthropic messages differ in names more than in
structure; one tolerant reader does for all. What it does not know it shows as JSON.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from replayproxy.json_text import UNREADABLE, parse_json
from replayproxy.model import Answer, Choice
from replayproxy.protocols.untrusted import as_arguments, as_list, as_object, as_text

type Kind = Literal["text", "reasoning", "refusal", "tool_call", "tool_result", "media", "other"]

MAX_TEXT = 20_000
MAX_MESSAGES = 400
_TEXT_TYPES = {"text", "input_text", "output_text"}
_REASONING_TYPES = {"thinking", "reasoning", "redacted_thinking", "summary_text"}
_CALL_TYPES = {"tool_use", "function_call", "custom_tool_call", "server_tool_use"}
_RESULT_TYPES = {"tool_result", "function_call_output", "custom_tool_call_output"}
_MEDIA_TYPES = {
    "image", "image_url", "input_image", "input_audio", "audio", "file", "input_file", "document",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A piece of a message. `left_out` counts the characters cut from `text`."""

    kind: Kind
    text: str = ""
    name: str | None = None
    left_out: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What one of them said."""

    role: str
    parts: tuple[Part, ...]
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request body, read.

    Attributes:
        settings: what it says besides its messages: (name, value) as text.
        tools: names of the tools it offers.
        left_out: messages of the middle that are not shown.
    """

    messages: tuple[Message, ...] = ()
    settings: tuple[tuple[str, str], ...] = ()
    tools: tuple[str, ...] = ()
    left_out: int = 0


def read_request(body: bytes) -> Asked:
    """The conversation so far; empty for a body that is none."""
    parsed = parse_json(body) if body else UNREADABLE
    if not isinstance(parsed, dict):
        return Asked()
    messages = [*_system(parsed), *_messages(parsed)]
    left_out = max(0, len(messages) - MAX_MESSAGES)
    if left_out:
        messages = messages[: MAX_MESSAGES // 2] + messages[-MAX_MESSAGES // 2 :]
    return Asked(
        messages=tuple(messages),
        settings=tuple(_settings(parsed)),
        tools=tuple(_tool_name(tool) for tool in as_list(parsed.get("tools"))),
        left_out=left_out,
    )


def read_choices(answer: Answer) -> tuple[Message, ...]:
    """What the model answered, one message for each choice."""
    return tuple(_choice(choice, several=len(answer.choices) > 1) for choice in answer.choices)


def pretty(text: str) -> str:
    """JSON, indented; any other text as it is."""
    value = parse_json(text)
    if value is UNREADABLE or not isinstance(value, dict | list):
        return text
    return json.dumps(value, ensure_ascii=False, indent=2)


def _system(body: Mapping[str, Any]) -> Iterator[Message]:
    for name in ("system", "instructions"):
        if parts := tuple(_parts(body.get(name))):
            yield Message(role="system", parts=parts)


def _messages(body: Mapping[str, Any]) -> Iterator[Message]:
    said = body.get("messages") or body.get("input") or body.get("prompt")
    if isinstance(said, str):
        yield Message(role="user", parts=tuple(_parts(said)))
    for item in as_list(said):
        if isinstance(item, str):
            yield Message(role="user", parts=tuple(_parts(item)))
        elif isinstance(item, dict):
            yield _message(item)


def _message(item: Mapping[str, Any]) -> Message:
    parts: list[Part] = []
    if reasoning := as_text(item.get("reasoning_content")) or as_text(item.get("reasoning")):
        parts.append(_part("reasoning", reasoning))
    role = as_text(item.get("role"))
    if role is None:  # an item of the Responses API that is not a message
        parts += _block(item)
        calls = parts and parts[0].kind in {"tool_call", "reasoning"}
        return Message(role="assistant" if calls else "tool", parts=tuple(parts))
    if role == "tool":
        parts.append(_part("tool_result", _plain(item.get("content"))))
    else:
        parts += _parts(item.get("content"))
    for call in as_list(item.get("tool_calls")):
        called = as_object(as_object(call).get("function")) or as_object(as_object(call))
        parts.append(_call(called.get("name"), called.get("arguments")))
    note = as_text(item.get("name")) or as_text(item.get("tool_call_id"))
    return Message(role=role, parts=tuple(parts), note=note)


def _parts(content: object) -> Iterator[Part]:
    if isinstance(content, str):
        if content:
            yield _part("text", content)
    elif isinstance(content, dict):
        yield from _block(content)
    else:
        for block in as_list(content):
            yield from _block(block) if isinstance(block, dict) else _parts(block)


def _block(block: Mapping[str, Any]) -> Iterator[Part]:
    kind = block.get("type")
    if kind in _TEXT_TYPES:
        yield _part("text", as_text(block.get("text")) or "")
    elif kind in _REASONING_TYPES:
        said = as_text(block.get("thinking")) or as_text(block.get("text"))
        yield _part("reasoning", said or _plain(block.get("summary") or block.get("content")))
    elif kind in _CALL_TYPES:
        arguments = next((block[k] for k in ("input", "arguments") if k in block), "")
        yield _call(block.get("name"), arguments)
    elif kind in _RESULT_TYPES:
        yield _part("tool_result", _plain(block.get("content", block.get("output"))))
    elif kind in _MEDIA_TYPES:
        yield _media(str(kind), block)
    elif kind == "refusal":
        yield _part("refusal", as_text(block.get("refusal")) or "")
    else:
        yield _part("other", as_arguments(block), name=as_text(kind))


def _call(name: object, arguments: object) -> Part:
    return _part("tool_call", as_arguments(arguments), name=as_text(name) or "(no name)")


def _media(kind: str, block: Mapping[str, Any]) -> Part:
    """A note: the bytes can be megabytes, and an address would be fetched by who looks."""
    source = as_object(block.get("source")) or block
    inner = source.get("image_url", source)
    address = inner.get("url") if isinstance(inner, dict) else inner
    about = [as_text(source.get("media_type")), as_text(source.get("filename"))]
    if isinstance(address, str):
        inline = address.startswith("data:")
        about.append(address.partition(";")[0].removeprefix("data:") if inline else address[:200])
        about.append(f"{len(address):,} characters inline" if inline else None)
    elif isinstance(data := source.get("data"), str):
        about.append(f"{len(data):,} characters inline")
    return _part("media", ", ".join(filter(None, about)), name=kind.replace("_", " "))


def _plain(content: object) -> str:
    """The text of a content of any shape."""
    if isinstance(content, str):
        return content
    texts = [as_text(as_object(block).get("text")) for block in as_list(content)]
    if texts and all(texts):
        return "\n".join(text for text in texts if text)
    return as_arguments(content)


def _part(kind: Kind, text: str, *, name: str | None = None) -> Part:
    if kind in {"tool_call", "tool_result", "other"} and len(text) <= MAX_TEXT:
        text = pretty(text)
    shown = text[:MAX_TEXT]
    return Part(kind=kind, text=shown, name=name, left_out=len(text) - len(shown))


def _settings(body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    said = {"messages", "input", "prompt", "system", "instructions", "tools", "model"}
    for name, value in body.items():
        if name not in said:
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            yield name[:60], text[:200]


def _tool_name(tool: object) -> str:
    described = as_object(tool)
    function = as_object(described.get("function"))
    name = as_text(function.get("name")) or as_text(described.get("name"))
    return (name or as_text(described.get("type")) or "?")[:80]


def _choice(choice: Choice, *, several: bool) -> Message:
    parts = []
    if choice.reasoning:
        parts.append(_part("reasoning", choice.reasoning))
    if choice.text:
        parts.append(_part("text", choice.text))
    if choice.refusal:
        parts.append(_part("refusal", choice.refusal))
    parts += [_call(call.name, call.arguments) for call in choice.tool_calls]
    notes = [f"choice {choice.index}" if several else None, choice.finish_reason]
    note = ", ".join(filter(None, notes)) or None
    return Message(role=choice.role or "assistant", parts=tuple(parts), note=note)
