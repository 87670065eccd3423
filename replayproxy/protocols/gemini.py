"""Gemini's generateContent, as Google AI and Vertex AI serve it.

https://ai.google.dev/api/generate-content
Model and streaming are said by the path, not by the body. A stream comes as SSE
(`alt=sse`) or else as one JSON array, and has no end mark of its own: it is
complete once each candidate has told its `finishReason`, or the prompt was
blocked. Usage is cumulative. `candidatesTokenCount` leaves out the thoughts and
`promptTokenCount` the results of Google's own tools; our output and input
include them.
"""

import re
from dataclasses import replace
from typing import Any

from replayproxy.json_text import parse_json
from replayproxy.model import Answer
from replayproxy.protocols.assembly import AnswerAssembly, ChoiceAssembly
from replayproxy.protocols.base import Protocol, RequestView, ResponseReader, name_in_path
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

_PATH = re.compile(r"/(?:models|tunedModels|endpoints)/([^/]+):(?:g|streamG)enerateContent/?$")
_AUDIO = {
    "input_audio_tokens": "promptTokensDetails",
    "output_audio_tokens": "candidatesTokensDetails",
    "cache_read_audio_tokens": "cacheTokensDetails",
}
_NO_REASON = frozenset({"FINISH_REASON_UNSPECIFIED", "BLOCK_REASON_UNSPECIFIED"})


class Gemini(Protocol):
    """`POST .../models/NAME:generateContent` and `:streamGenerateContent`."""

    name = "gemini"

    def matches(self, method: str, path: str) -> bool:
        """Any prefix will do: `/v1beta/models`, `/v1/projects/.../publishers/google/models`."""
        return method.upper() == "POST" and _PATH.search(path) is not None

    def read_request(self, path: str, body: object) -> RequestView:
        """Model and streaming stand in the path."""
        model = name_in_path(_PATH, path)
        return RequestView(
            model=model,
            stream=":streamG" in path if model else None,
            parameters=read_parameters(as_object(as_object(body).get("generationConfig"))),
        )

    def reader(self) -> ResponseReader:
        """A fresh reader for one response."""
        return _Reader()

    def error_body(self, *, message: str, code: str) -> dict[str, Any]:
        """Google's shape; its own words stand for what went wrong, ours for why."""
        reason = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": code}
        error = {"code": 404, "message": message, "status": "NOT_FOUND", "details": [reason]}
        return {"error": error}


class _Reader(ResponseReader):
    """The usage it assembles has the provider's own counts; `answer()` adds them up."""

    def __init__(self) -> None:
        self._answer = AnswerAssembly()
        self._tool_use_tokens: int | None = None
        self._streamed = False

    def read_event(self, event: ServerSentEvent) -> bool:
        self._streamed = True
        body = parse_json(event.data)
        if event.event == "error":
            self._answer.note_error(error_of_event(body, event.data))
        return self._read(as_object(body))

    def read_json(self, body: object) -> None:
        for part in as_list(body) or (body,):
            self._read(as_object(part))

    def answer(self) -> Answer:
        answer = self._answer.build()
        usage = answer.usage
        usage = replace(usage, input_tokens=plus(usage, "input_tokens", [self._tool_use_tokens]))
        if usage.reasoning_tokens is not None:  # of an output that is all thoughts, 0 is left out
            output_tokens = (usage.output_tokens or 0) + usage.reasoning_tokens
            usage = replace(usage, output_tokens=output_tokens)
        finished = bool(answer.choices) and all(c.finish_reason for c in answer.choices)
        return replace(answer, usage=usage, complete=self._streamed and finished)

    def _read(self, said: Json) -> bool:
        answer = self._answer
        answer.identify({"model": said.get("modelVersion"), "id": said.get("responseId")})
        answer.note_error(error_message(said))
        self._read_usage(as_object(said.get("usageMetadata")))
        generated = self._read_feedback(as_object(said.get("promptFeedback")))
        for candidate in map(as_object, as_list(said.get("candidates"))):
            choice = answer.choice(as_count(candidate.get("index")) or 0)  # a 0 is left out
            generated |= _read_candidate(choice, candidate)
        return generated

    def _read_feedback(self, feedback: Json) -> bool:
        """A prompt that was blocked: there are no candidates, and this is the whole answer."""
        reason = _reason(feedback.get("blockReason"))
        if reason is None:
            return False
        choice = self._answer.choice()
        choice.finish_reason = reason
        return choice.add_refusal(as_text(feedback.get("blockReasonMessage")) or reason)

    def _read_usage(self, told: Json) -> None:
        counts = Counts()
        counts.take("input_tokens", told, "promptTokenCount")
        counts.take("output_tokens", told, "candidatesTokenCount")
        counts.take("cache_read_tokens", told, "cachedContentTokenCount")
        counts.take("reasoning_tokens", told, "thoughtsTokenCount")
        for field, details in _AUDIO.items():
            counts.take_modality(field, told.get(details), "AUDIO")
        self._answer.note_usage(counts.usage(), None)
        self._answer.note_service({"service_tier": told.get("serviceTier")})
        tool_use_tokens = as_count(told.get("toolUsePromptTokenCount"))
        if tool_use_tokens is not None:
            self._tool_use_tokens = tool_use_tokens


def _read_candidate(choice: ChoiceAssembly, candidate: Json) -> bool:
    choice.finish_reason = _reason(candidate.get("finishReason")) or choice.finish_reason
    content = as_object(candidate.get("content"))
    choice.role = choice.role or as_text(content.get("role"))
    generated = False
    for part in map(as_object, as_list(content.get("parts"))):
        generated |= _read_part(choice, part)
    return generated


def _read_part(choice: ChoiceAssembly, part: Json) -> bool:
    if part.get("thought") is True:
        choice.add_reasoning(part.get("text"))
        return False
    generated = choice.add_text(part.get("text")) | bool(as_object(part.get("inlineData")))
    if call := as_object(part.get("functionCall")):
        # whole, without an index, and only at times with an id
        generated |= choice.tool_calls.take(
            index=len(choice.tool_calls),
            call_id=as_text(call.get("id")),
            name=as_text(call.get("name")),
            arguments=as_arguments(call.get("args", {})),
        )
    return generated


def _reason(value: object) -> str | None:
    reason = as_text(value)
    return None if reason in _NO_REASON else reason
