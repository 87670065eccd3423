"""Anthropic messages.

https://docs.anthropic.com/en/api/messages-streaming
The stream's terminal is `message_stop`; an `error` event is not one. Usage is
cumulative, and its `input_tokens` leave out what was read from or written to
the cache; ours include it.
"""

from dataclasses import replace
from typing import Any

from replayproxy.json_text import UNREADABLE, parse_json
from replayproxy.model import Answer, Usage
from replayproxy.protocols.assembly import AnswerAssembly
from replayproxy.protocols.base import Protocol, ResponseReader, posts_to
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
from replayproxy.protocols.usage import Counts, cost_problem, plus
from replayproxy.sse import ServerSentEvent


class AnthropicMessages(Protocol):
    """`POST .../messages`."""

    name = "anthropic_messages"

    def matches(self, method: str, path: str) -> bool:
        """Not the messages of an OpenAI thread, nor `count_tokens` and `batches` below them."""
        return posts_to(method, path, "/messages") and "/threads/" not in path

    def reader(self) -> ResponseReader:
        """A fresh reader for one response."""
        return _Reader()

    def error_body(self, *, message: str, code: str) -> dict[str, Any]:
        """Anthropic's shape, which has one word for what went wrong: its type."""
        return {"type": "error", "error": {"type": code, "message": message}}


class _Reader(ResponseReader):
    """The usage it assembles has the provider's own input_tokens; `answer()` adds the cache."""

    def __init__(self) -> None:
        self._answer = AnswerAssembly()

    def read_event(self, event: ServerSentEvent) -> bool:
        body = parse_json(event.data)
        said = as_object(body)
        kind = as_text(said.get("type")) or event.event
        if kind == "error":
            self._answer.note_error(error_of_event(body, event.data))
        elif body is not UNREADABLE:
            return self._read(kind, said)
        return False

    def read_json(self, body: object) -> None:
        said = as_object(body)
        self._answer.note_error(error_message(said))
        if said.get("type") == "message":
            self._read_message(said)

    def answer(self) -> Answer:
        answer = self._answer.build()
        return replace(answer, usage=_with_cache(answer.usage))

    def _read(self, kind: str, said: Json) -> bool:
        index = as_count(said.get("index"))
        match kind:
            case "message_start":
                self._read_message(as_object(said.get("message")))
            case "content_block_start":
                return self._read_block(as_object(said.get("content_block")), index)
            case "content_block_delta":
                return self._read_delta(as_object(said.get("delta")), index)
            case "message_delta":
                self._read_end(as_object(said.get("delta")))
                self._read_usage(said.get("usage"))
            case "message_stop":
                self._answer.complete = True
        return False

    def _read_message(self, message: Json) -> None:
        self._answer.identify(message)
        self._answer.choice().role = as_text(message.get("role"))
        self._read_end(message)
        self._read_usage(message.get("usage"))
        for position, block in enumerate(as_list(message.get("content"))):
            self._read_block(as_object(block), position, whole=True)

    def _read_end(self, source: Json) -> None:
        choice = self._answer.choice()
        choice.finish_reason = as_text(source.get("stop_reason")) or choice.finish_reason

    def _read_block(self, block: Json, index: int | None, *, whole: bool = False) -> bool:
        """A whole block, or the start of one, whose text and input are still empty."""
        choice = self._answer.choice()
        choice.add_reasoning(block.get("thinking"))
        if not str(block.get("type")).endswith("tool_use"):  # also server_, mcp_tool_use
            return choice.add_text(block.get("text"))
        given = block.get("input")
        return choice.tool_calls.take(
            index=index,
            call_id=as_text(block.get("id")),
            name=as_text(block.get("name")),
            arguments=as_arguments(given) if whole or given else "",
        )

    def _read_delta(self, delta: Json, index: int | None) -> bool:
        choice = self._answer.choice()
        match delta.get("type"):
            case "text_delta":
                return choice.add_text(delta.get("text"))
            case "thinking_delta":
                choice.add_reasoning(delta.get("thinking"))
            case "input_json_delta":
                arguments = as_arguments(delta.get("partial_json"))
                return choice.tool_calls.take(index=index, arguments=arguments)
        return False

    def _read_usage(self, usage: object) -> None:
        told = as_object(usage)
        written = as_object(told.get("cache_creation"))
        counts = Counts()
        counts.take("input_tokens", told, "input_tokens")
        counts.take("output_tokens", told, "output_tokens")
        counts.take("cache_read_tokens", told, "cache_read_input_tokens")
        counts.take("cache_write_tokens", told, "cache_creation_input_tokens")
        counts.take("cache_write_1h_tokens", written, "ephemeral_1h_input_tokens")
        of_output = as_object(told.get("output_tokens_details"))
        counts.take("reasoning_tokens", of_output, "thinking_tokens")
        counts.take("web_searches", as_object(told.get("server_tool_use")), "web_search_requests")
        read = counts.usage()
        read = replace(read, problems=read.problems + cost_problem(told))
        self._answer.note_usage(read, as_usd(told.get("cost")))
        self._answer.note_service(told)


def _with_cache(usage: Usage) -> Usage:
    cached = (usage.cache_read_tokens, usage.cache_write_tokens)
    return replace(usage, input_tokens=plus(usage, "input_tokens", cached))
