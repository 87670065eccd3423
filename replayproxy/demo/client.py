"""The demo's client: the real openai SDK, with an ear on the wire.

What the SDK gets is noted below it, chunk by chunk, as the HTTP library reads
it: bytes, borders, times.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import httpx2
from openai import OpenAI
from openai.types.chat import ChatCompletionChunk


@dataclass(slots=True, kw_only=True)
class Heard:
    """One answer as it came: its chunks, when each was read, and what the SDK made of it.

    Times are seconds since the request was sent.
    """

    name: str
    chunks: list[bytes] = field(default_factory=list)
    times_s: list[float] = field(default_factory=list)
    said: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One call of the scenario: `create(**arguments)`."""

    name: str
    arguments: dict[str, Any]


_TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


def _ask(text: str, model: str, **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text}], **more}


QUESTIONS = (
    Question(
        name="streamed",
        arguments=_ask("Tell me about the wire.", "anthropic/claude-sonnet-4", stream=True),
    ),
    Question(
        name="tool call",
        arguments=_ask(
            "What's the weather in Zürich?", "openai/gpt-4o", stream=True, tools=[_TOOL]
        ),
    ),
    Question(
        name="JSON",
        arguments=_ask(
            "Who wrote the first program?",
            "openai/gpt-4o-mini",
            stream=True,
            response_format={"type": "json_object"},
        ),
    ),
    Question(
        name="not streamed",
        arguments=_ask("Tell me about the wire.", "anthropic/claude-sonnet-4"),
    ),
)


def ask_all(base_url: str) -> list[Heard]:
    """Ask every question once, one after the other.

    Raises:
        openai.OpenAIError: the answer was an error.
    """
    ear = _Ear()
    with (
        httpx2.Client(transport=ear, trust_env=False) as wire,
        OpenAI(base_url=base_url, api_key="sk-aig-demo", http_client=wire, max_retries=0) as sdk,
    ):
        for question in QUESTIONS:
            ear.listen(question.name)
            answer = sdk.chat.completions.create(**question.arguments)
            ear.heard[-1].said = _said(answer)
    return ear.heard


def _said(answer: Any) -> str:
    """What the SDK understood, as text."""
    if hasattr(answer, "choices"):
        return str(answer.choices[0].message.content)
    said = ""
    for chunk in cast(Iterator[ChatCompletionChunk], answer):
        for choice in chunk.choices or []:
            said += choice.delta.content or ""
            for call in choice.delta.tool_calls or []:
                if call.function:
                    said += (call.function.name or "") + (call.function.arguments or "")
    return said


class _Ear(httpx2.HTTPTransport):
    """A transport that notes each piece of a body on its way to the SDK."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[Heard] = []

    def listen(self, name: str) -> None:
        """What follows belongs to a new question."""
        self.heard.append(Heard(name=name))

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        start = time.perf_counter()
        response = super().handle_request(request)
        assert isinstance(response.stream, httpx2.SyncByteStream)
        response.stream = _Noted(response.stream, self.heard[-1], start)
        return response


class _Noted(httpx2.SyncByteStream):
    def __init__(self, stream: httpx2.SyncByteStream, heard: Heard, start: float) -> None:
        self._stream = stream
        self._heard = heard
        self._start = start

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._stream:
            self._heard.times_s.append(time.perf_counter() - self._start)
            self._heard.chunks.append(chunk)
            yield chunk

    def close(self) -> None:
        self._stream.close()
