"""Gemini's interactions.

https://ai.google.dev/api/interactions-api
The stream's terminal is `interaction.completed`; `data: [DONE]` comes after it.
As in generateContent, output leaves out the thoughts and input what Google's own
tools brought; our output and input include them.
"""

from dataclasses import replace
from typing import Any

from replayproxy.json_text import parse_json
from replayproxy.model import Answer
from replayproxy.protocols.assembly import AnswerAssembly
from replayproxy.protocols.base import Protocol, RequestView, ResponseReader, posts_to
from replayproxy.protocols.openai_shapes import openai_error_body
from replayproxy.protocols.parameters import read_parameters
from replayproxy.protocols.untrusted import (
    Json,
    as_arguments,
    as_count,
    as_list,
    as_object,
    as_text,
    error_message,
    error_of_event,
)
from replayproxy.protocols.usage import Counts, plus
from replayproxy.sse import ServerSentEvent


class GeminiInteractions(Protocol):
    """`POST .../interactions`."""

    name = "gemini_interactions"

    def matches(self, method: str, path: str) -> bool:
        """Creating one; what is asked about one later is plain HTTP."""
        return posts_to(method, path, "/interactions")

    def read_request(self, path: str, body: object) -> RequestView:
        """How to generate stands in an object of its own."""
        view = super().read_request(path, body)
        config = as_object(as_object(body).get("generation_config"))
        return replace(view, parameters=read_parameters(config))

    def reader(self) -> ResponseReader:
        """A fresh reader for one response."""
        return _Reader()

    def error_body(self, *, message: str, code: str) -> dict[str, Any]:
        """The shape its clients share with OpenAI's."""
        return openai_error_body(message=message, code=code)


class _Reader(ResponseReader):
    def __init__(self) -> None:
        self._answer = AnswerAssembly()
        self._tool_use_tokens: int | None = None

    def read_event(self, event: ServerSentEvent) -> bool:
        body = parse_json(event.data)
        said = as_object(body)
        kind = as_text(said.get("event_type")) or event.event
        if kind == "error":
            self._answer.note_error(error_of_event(body, event.data))
            return False
        self._read_interaction(as_object(said.get("interaction")))
        self._read_usage(as_object(said.get("metadata")).get("usage"))
        self._answer.complete |= kind == "interaction.completed"
        index = as_count(said.get("index"))
        if kind == "step.start":
            return self._read_step(as_object(said.get("step")), index)
        return kind == "step.delta" and self._read_delta(as_object(said.get("delta")), index)

    def read_json(self, body: object) -> None:
        said = as_object(body)
        self._answer.note_error(error_message(said))
        self._read_interaction(said)
        for position, step in enumerate(map(as_object, as_list(said.get("steps")))):
            self._read_step(step, position)
            for part in map(as_object, as_list(step.get("content"))):
                self._read_delta(part, position)

    def answer(self) -> Answer:
        answer = self._answer.build()
        usage = answer.usage
        input_tokens = plus(usage, "input_tokens", [self._tool_use_tokens])
        output_tokens = plus(usage, "output_tokens", [usage.reasoning_tokens])
        usage = replace(usage, input_tokens=input_tokens, output_tokens=output_tokens)
        return replace(answer, usage=usage)

    def _read_interaction(self, interaction: Json) -> None:
        self._answer.identify(interaction)
        self._answer.note_error(error_message(interaction))
        self._read_usage(interaction.get("usage"))
        status = as_text(interaction.get("status"))
        if status and status != "in_progress":
            self._answer.choice().finish_reason = status

    def _read_step(self, step: Json, index: int | None) -> bool:
        if step.get("type") != "function_call":
            return False
        return self._answer.choice().tool_calls.take(
            index=index,
            call_id=as_text(step.get("id")),
            name=as_text(step.get("name")),
            arguments=as_arguments(step["arguments"]) if step.get("arguments") else "",
        )

    def _read_delta(self, delta: Json, index: int | None) -> bool:
        choice = self._answer.choice()
        match delta.get("type"):
            case "text":
                return choice.add_text(delta.get("text"))
            case "thought_summary":
                choice.add_reasoning(as_object(delta.get("content")).get("text"))
            case "function_call":
                return choice.tool_calls.take(
                    index=index,
                    call_id=as_text(delta.get("id")),
                    name=as_text(delta.get("name")),
                    arguments=as_arguments(delta.get("arguments")),
                )
            case "audio" | "image":
                return bool(delta.get("data"))
        return False

    def _read_usage(self, usage: object) -> None:
        told = as_object(usage)
        counts = Counts()
        counts.take("input_tokens", told, "total_input_tokens")
        counts.take("output_tokens", told, "total_output_tokens")
        counts.take("cache_read_tokens", told, "total_cached_tokens")
        counts.take("reasoning_tokens", told, "total_thought_tokens")
        for field, direction in (
            ("input_audio_tokens", "input"),
            ("output_audio_tokens", "output"),
        ):
            by_modality = told.get(f"{direction}_tokens_by_modality")
            counts.take_modality(field, by_modality, "AUDIO", count="tokens")
        self._answer.note_usage(counts.usage(), None)
        tool_use_tokens = as_count(told.get("total_tool_use_tokens"))
        if tool_use_tokens is not None:
            self._tool_use_tokens = tool_use_tokens
