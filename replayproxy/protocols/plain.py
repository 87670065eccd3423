"""Any other HTTP exchange: embeddings, legacy completions, Ollama, jobs, files, ...

Bytes and timing are all that is promised. What the common shapes say about
model, usage, errors and text (`choices[].text`, as legacy completions have it)
is taken along where it is found. A stream need not have a terminal; where one
says `[DONE]` it is `complete`.
"""

from typing import Any

from replayproxy.json_text import parse_json
from replayproxy.model import Answer
from replayproxy.protocols.assembly import AnswerAssembly
from replayproxy.protocols.base import Protocol, ResponseReader
from replayproxy.protocols.openai_shapes import openai_error_body, read_usage
from replayproxy.protocols.untrusted import (
    Json,
    as_count,
    as_list,
    as_object,
    as_text,
    as_usd,
    error_message,
    error_of_event,
)
from replayproxy.sse import ServerSentEvent


class PlainHTTP(Protocol):
    """Whatever no other protocol recognises."""

    name = "http"
    has_terminal = False

    def matches(self, method: str, path: str) -> bool:
        """Everything."""
        return True

    def reader(self) -> ResponseReader:
        """A fresh reader for one response."""
        return _Reader()

    def error_body(self, *, message: str, code: str) -> dict[str, Any]:
        """OpenAI's shape, the most widely understood."""
        return openai_error_body(message=message, code=code)


class _Reader(ResponseReader):
    def __init__(self) -> None:
        self._answer = AnswerAssembly()

    def read_event(self, event: ServerSentEvent) -> bool:
        self._answer.complete |= event.data.strip() == "[DONE]"
        body = parse_json(event.data)
        if event.event == "error":
            self._answer.note_error(error_of_event(body, event.data))
        return self._read(body)

    def read_json(self, body: object) -> None:
        self._read(body)

    def answer(self) -> Answer:
        return self._answer.build()

    def _read(self, body: object) -> bool:
        said = as_object(body)
        self._answer.identify(said)
        self._answer.note_error(error_message(said))
        usage = said.get("usage")
        self._answer.note_usage(read_usage(usage), as_usd(as_object(usage).get("cost")))
        generated = False
        for position, choice in enumerate(map(as_object, as_list(said.get("choices")))):
            if isinstance(choice.get("text"), str):
                generated |= self._read_text(choice, position)
        return generated

    def _read_text(self, choice: Json, position: int) -> bool:
        index = as_count(choice.get("index"))
        assembly = self._answer.choice(position if index is None else index)
        assembly.finish_reason = as_text(choice.get("finish_reason")) or assembly.finish_reason
        return assembly.add_text(choice["text"])
