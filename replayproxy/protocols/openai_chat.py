"""OpenAI chat completions, as spoken by OpenAI, Azure, AIgateway and nearly everyone else.

https://platform.openai.com/docs/api-reference/chat-streaming
The stream's terminal is `data: [DONE]`. What comes after it is still read:
clients that stop there miss it, but the provider said it.
"""

from typing import Any

from replayproxy.json_text import parse_json
from replayproxy.model import Answer
from replayproxy.protocols.assembly import AnswerAssembly, ChoiceAssembly
from replayproxy.protocols.base import Protocol, ResponseReader, posts_to
from replayproxy.protocols.openai_shapes import openai_error_body, read_usage
from replayproxy.protocols.stencil import Stencil
from replayproxy.protocols.untrusted import (
    Json,
    as_arguments,
    as_count,
    as_list,
    as_object,
    as_text,
    as_usd,
    error_message,
    error_of_event,
)
from replayproxy.sse import ServerSentEvent


class OpenAIChat(Protocol):
    """`POST .../chat/completions`."""

    name = "openai_chat"

    def matches(self, method: str, path: str) -> bool:
        """Any prefix will do: `/v1`, `/api/v1`, `/openai/deployments/NAME`, ..."""
        return posts_to(method, path, "/chat/completions")

    def reader(self) -> ResponseReader:
        """A fresh reader for one response."""
        return _Reader()

    def error_body(self, *, message: str, code: str) -> dict[str, Any]:
        """OpenAI's shape."""
        return openai_error_body(message=message, code=code)


class _Reader(ResponseReader):
    def __init__(self) -> None:
        self._answer = AnswerAssembly()
        self._stencil = Stencil("content")
        self._like_before = ChoiceAssembly()

    def read_event(self, event: ServerSentEvent) -> bool:
        if event.event == "message":
            text = self._stencil.text(event.data)
            if text is not None:
                return self._like_before.add_text(text)
        if event.data.strip() == "[DONE]":
            self._answer.complete = True
            return False
        body = parse_json(event.data)
        if event.event == "error":
            self._answer.note_error(error_of_event(body, event.data))
        generated = self._read(body)
        if event.event == "message" and (found := _only_text(as_object(body))):
            index, text = found
            if self._stencil.lay(event.data, text):
                self._like_before = self._answer.choice(index)
        return generated

    def read_json(self, body: object) -> None:
        self._read(body)

    def answer(self) -> Answer:
        return self._answer.build()

    def _read(self, body: object) -> bool:
        """Take a chunk or a whole completion: they differ in `delta` and `message` only."""
        said = as_object(body)
        self._answer.identify(said)
        self._answer.note_error(error_message(said))
        self._read_usage(as_object(said.get("x_groq")).get("usage"))
        self._read_usage(said.get("usage"))
        generated = False
        for position, choice in enumerate(as_list(said.get("choices"))):
            generated |= self._read_choice(as_object(choice), position)
        return generated

    def _read_choice(self, choice: Json, position: int) -> bool:
        if not choice:
            return False
        self._answer.note_error(error_message(choice))
        self._read_usage(choice.get("usage"))  # Moonshot's place for it
        index = as_count(choice.get("index"))
        assembly = self._answer.choice(position if index is None else index)
        assembly.finish_reason = as_text(choice.get("finish_reason")) or assembly.finish_reason
        if "delta" in choice:
            return _read_message(assembly, as_object(choice["delta"]), whole=False)
        return _read_message(assembly, as_object(choice.get("message")), whole=True)

    def _read_usage(self, usage: object) -> None:
        if told := as_object(usage):
            self._answer.note_usage(read_usage(told), as_usd(told.get("cost")))


def _only_text(said: Json) -> tuple[int, str] | None:
    """The index and the text of a chunk that adds no more than that to an answer.

    All else of it is such that it may be read twice, or not at all.
    """
    match said:
        case {"choices": [{"index": int(index), "delta": {"content": str(text), **rest}}]}:
            return None if any(rest.values()) or as_count(index) is None else (index, text)
    return None


def _read_message(choice: ChoiceAssembly, message: Json, *, whole: bool) -> bool:
    choice.role = choice.role or as_text(message.get("role"))
    _read_reasoning(choice, message)
    generated = _read_content(choice, message.get("content"))
    generated |= choice.add_refusal(message.get("refusal"))
    generated |= _read_audio(choice, as_object(message.get("audio")))
    for position, call in enumerate(as_list(message.get("tool_calls"))):
        generated |= _read_tool_call(choice, as_object(call), position if whole else None)
    return generated | _read_function(choice, as_object(message.get("function_call")))


def _read_content(choice: ChoiceAssembly, content: object) -> bool:
    """Text, or a list of parts (Mistral sends its thinking as one of them)."""
    generated = choice.add_text(content)
    for part in as_list(content):
        of_part = as_object(part)
        generated |= choice.add_text(part) | choice.add_text(of_part.get("text"))
        generated |= choice.add_refusal(of_part.get("refusal"))
        thinking = of_part.get("thinking")
        choice.add_reasoning(thinking)
        for thought in as_list(thinking):
            choice.add_reasoning(as_object(thought).get("text"))
    return generated


def _read_reasoning(choice: ChoiceAssembly, message: Json) -> None:
    """One of three fields: OpenRouter says the same in two of them."""
    if choice.add_reasoning(message.get("reasoning_content")):
        return
    if choice.add_reasoning(message.get("reasoning")):
        return
    for detail in map(as_object, as_list(message.get("reasoning_details"))):
        choice.add_reasoning(detail.get("text") or detail.get("summary"))


def _read_audio(choice: ChoiceAssembly, audio: Json) -> bool:
    """Sound is kept as bytes only; its transcript is what the model said."""
    return choice.add_text(audio.get("transcript")) or bool(audio.get("data"))


def _read_tool_call(choice: ChoiceAssembly, call: Json, position: int | None) -> bool:
    """A whole call (`position` in its list), or a fragment of one (no position)."""
    index = as_count(call.get("index"))
    function = as_object(call.get("function") or call.get("custom"))
    return bool(call) and choice.tool_calls.take(
        index=position if index is None else index,
        call_id=as_text(call.get("id")),
        name=as_text(function.get("name")),
        arguments=as_arguments(function.get("arguments", function.get("input"))),
    )


def _read_function(choice: ChoiceAssembly, function: Json) -> bool:
    """The `function_call` of before there were tools: one per choice, without an id."""
    return bool(function) and choice.tool_calls.take(
        name=as_text(function.get("name")),
        arguments=as_arguments(function.get("arguments")),
    )
