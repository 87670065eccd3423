"""Any other HTTP exchange: Gemini, Ollama, embeddings, jobs, files, ...

Bytes and timing are all that is promised. What the common shapes say about
model, usage and errors is taken along where it is found. A plain stream has no
terminal that we know of, so its answer is never `complete`.
"""

from typing import Any

from replayproxy.json_text import parse_json
from replayproxy.model import Answer
from replayproxy.protocols.assembly import AnswerAssembly
from replayproxy.protocols.base import Protocol, ResponseReader
from replayproxy.protocols.openai_shapes import openai_error_body, read_usage
from replayproxy.protocols.untrusted import (
    as_object,
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
        body = parse_json(event.data)
        if event.event == "error":
            self._answer.note_error(error_of_event(body, event.data))
        self.read_json(body)
        return False

    def read_json(self, body: object) -> None:
        said = as_object(body)
        self._answer.identify(said)
        self._answer.note_error(error_message(said))
        usage = said.get("usage")
        self._answer.note_usage(read_usage(usage), as_usd(as_object(usage).get("cost")))

    def answer(self) -> Answer:
        return self._answer.build()
