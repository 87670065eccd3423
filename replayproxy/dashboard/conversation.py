"""A request's and an answer's JSON as a conversation, whatever API it was written for.

OpenAI chat, OpenAI Responses, Anthropic messages and Gemini differ in names more than
in structure; one tolerant reader does for all. What it does not know it shows as JSON.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from replayproxy.dashboard.gemini_parts import as_block
from replayproxy.dashboard.pictures import Picture, read_picture
from replayproxy.json_text import UNREADABLE, parse_json
from replayproxy.model import Answer, Choice
from replayproxy.protocols.untrusted import as_arguments, as_list, as_object, as_text

type Kind = Literal["text", "reasoning", "refusal", "tool_call", "tool_result", "media", "other"]

MAX_TEXT = 20_000
MAX_MESSAGES = 400
_CONVERSATIONS = ("messages", "input", "prompt", "contents")
_TEXT_TYPES = {"text", "input_text", "output_text"}
_REASONING_TYPES = {"thinking", "reasoning", "redacted_thinking", "summary_text"}
_CALL_TYPES = {"tool_use", "function_call", "custom_tool_call", "server_tool_use"}
_RESULT_TYPES = {"tool_result", "function_call_output", "custom_tool_call_output"}
_MEDIA_TYPES = {
    "image", "image_url", "input_image", "input_audio", "audio", "file", "input_file", "document",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A piece of a message.

    Attributes:
        left_out: the characters cut from `text`.
        picture: what a `media` part holds, if that may be shown.
    """

    kind: Kind
    text: str = ""
    name: str | None = None
    left_out: int = 0
    picture: Picture | None = None


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
        tools=tuple(_tool_names(parsed)),
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
    for name in ("system", "instructions", "systemInstruction", "system_instruction"):
        if parts := tuple(_parts(body.get(name))):
            yield Message(role="system", parts=parts)


def _messages(body: Mapping[str, Any]) -> Iterator[Message]:
    said = next((body[name] for name in _CONVERSATIONS if body.get(name)), None)
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
        parts.append(as_part("reasoning", reasoning))
    role = as_text(item.get("role"))
    if "parts" in item:
        role = {"model": "assistant", None: "user"}.get(role, role)
        return Message(role=role or "user", parts=tuple(_parts(item)))
    if role is None:  # an item of the Responses API that is not a message
        parts += _block(item)
        calls = parts and parts[0].kind in {"tool_call", "reasoning"}
        return Message(role="assistant" if calls else "tool", parts=tuple(parts))
    if role == "tool":
        parts.append(as_part("tool_result", _plain(item.get("content"))))
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
            yield as_part("text", content)
    elif isinstance(content, dict) and "parts" in content:
        for part in as_list(content["parts"]):
            yield from _block(as_block(part))
    elif isinstance(content, dict):
        yield from _block(content)
    else:
        for block in as_list(content):
            yield from _block(block) if isinstance(block, dict) else _parts(block)


def _block(block: Mapping[str, Any]) -> Iterator[Part]:
    kind = block.get("type")
    if kind in _TEXT_TYPES:
        yield as_part("text", as_text(block.get("text")) or "")
    elif kind in _REASONING_TYPES:
        said = as_text(block.get("thinking")) or as_text(block.get("text"))
        yield as_part("reasoning", said or _plain(block.get("summary") or block.get("content")))
    elif kind in _CALL_TYPES:
        arguments = next((block[k] for k in ("input", "arguments") if k in block), "")
        yield _call(block.get("name"), arguments)
    elif kind in _RESULT_TYPES:
        yield as_part("tool_result", _plain(block.get("content", block.get("output"))))
    elif kind in _MEDIA_TYPES:
        yield media_part(str(kind), block)
    elif kind == "refusal":
        yield as_part("refusal", as_text(block.get("refusal")) or "")
    else:
        yield as_part("other", as_arguments(block), name=as_text(kind))


def _call(name: object, arguments: object) -> Part:
    return as_part("tool_call", as_arguments(arguments), name=as_text(name) or "(no name)")


def media_part(kind: str, block: Mapping[str, Any]) -> Part:
    """A picture that may be shown, or a note: an address would be fetched by who looks."""
    source = as_object(block.get("source")) or as_object(block.get("input_audio")) or block
    places = (source, as_object(source.get("image_url")), as_object(source.get("file")))

    def first(*names: str) -> str | None:
        found = (as_text(place.get(name)) for name in names for place in places)
        return next(filter(None, found), None)

    data = first("data", "file_data")
    address = first("url", "image_url", "file_url", "file_id")
    if address and address.startswith("data:"):
        data = address
    name = kind.replace("_", " ")
    if data and (picture := read_picture(data)):
        shape = f"{picture.media_type}, {picture.width} × {picture.height}"
        return Part(kind="media", name=name, text=shape, picture=picture)
    about = [first("media_type"), first("format"), first("filename")]
    if data:
        about.append(data[5:200].partition(";")[0] if data.startswith("data:") else None)
        about.append(f"{len(data):,} characters inline")
    elif address:
        about.append(address[:200])
    return as_part("media", ", ".join(filter(None, about)), name=name)


def _plain(content: object) -> str:
    """The text of a content of any shape."""
    if isinstance(content, str):
        return content
    texts = [as_text(as_object(block).get("text")) for block in as_list(content)]
    if texts and all(texts):
        return "\n".join(text for text in texts if text)
    return as_arguments(content)


def as_part(kind: Kind, text: str, *, name: str | None = None) -> Part:
    """A part with its text made readable, and cut."""
    if kind in {"tool_call", "tool_result", "other"} and len(text) <= MAX_TEXT:
        text = pretty(text)
    shown = text[:MAX_TEXT]
    return Part(kind=kind, text=shown, name=name, left_out=len(text) - len(shown))


def _settings(body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    said = {"system", "instructions", "systemInstruction", "system_instruction", "tools", "model"}
    said.update(_CONVERSATIONS)
    for name, value in body.items():
        if name not in said:
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            yield name[:60], text[:200]


def _tool_names(body: Mapping[str, Any]) -> Iterator[str]:
    for tool in as_list(body.get("tools")):
        declared = as_list(as_object(tool).get("functionDeclarations"))  # Gemini's, several in one
        for one in declared or (tool,):
            yield _tool_name(one)


def _tool_name(tool: object) -> str:
    described = as_object(tool)
    function = as_object(described.get("function"))
    name = as_text(function.get("name")) or as_text(described.get("name"))
    return (name or as_text(described.get("type")) or "?")[:80]


def _choice(choice: Choice, *, several: bool) -> Message:
    parts = []
    if choice.reasoning:
        parts.append(as_part("reasoning", choice.reasoning))
    if choice.text:
        parts.append(as_part("text", choice.text))
    if choice.refusal:
        parts.append(as_part("refusal", choice.refusal))
    parts += [_call(call.name, call.arguments) for call in choice.tool_calls]
    notes = [f"choice {choice.index}" if several else None, choice.finish_reason]
    note = ", ".join(filter(None, notes)) or None
    return Message(role=choice.role or "assistant", parts=tuple(parts), note=note)
