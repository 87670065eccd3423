"""What a protocol file provides: how to recognise, and how to read, one API wire shape.

A protocol is stateless; a reader is fed one response body, in order, and can
be asked for its `answer()` at any time. Nothing that is valid on the wire, and
nothing that is not, may make a reader raise: what it cannot read it leaves out.
"""

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar
from urllib.parse import unquote

from replayproxy.model import Answer, RequestParameters
from replayproxy.protocols.parameters import read_parameters
from replayproxy.protocols.untrusted import as_object, as_text
from replayproxy.sse import ServerSentEvent

_AZURE_DEPLOYMENT = re.compile(r"/openai/deployments/([^/]+)/")


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestView:
    """What a protocol reads from a request. None means "not said"."""

    model: str | None = None
    stream: bool | None = None
    parameters: RequestParameters = field(default_factory=RequestParameters)


class ResponseReader(ABC):
    """Collects the answer from one response body."""

    @abstractmethod
    def read_event(self, event: ServerSentEvent) -> bool:
        """Take the next event of a stream; True if it carried generated content.

        Content is text, a refusal, a tool call or audio; reasoning, roles,
        usage and pings are not.
        """

    @abstractmethod
    def read_json(self, body: object) -> None:
        """Take a whole, not streamed, body that was parsed from JSON (any type).

        It never makes the answer `complete`: that is the word for a terminal
        seen in a stream. Whether a body with a length came whole is known to
        those who saw its bytes.
        """

    @abstractmethod
    def answer(self) -> Answer:
        """What was read so far. Its text is well-formed: no lone surrogates."""


class Protocol(ABC):
    """One API wire shape."""

    name: ClassVar[str]
    """As stored in the database: `openai_chat`, `anthropic_messages`, ..."""

    has_terminal: ClassVar[bool] = True
    """Whether its streams say that they are whole (`Answer.complete`)."""

    @abstractmethod
    def matches(self, method: str, path: str) -> bool:
        """Whether a request of this method and path (without query) speaks this protocol."""

    def read_request(self, path: str, body: object) -> RequestView:
        """What the request asks for; `body` was parsed from JSON (any type, or `UNREADABLE`).

        The model is the body's, else Azure's deployment in the path (without query).
        """
        asked = as_object(body)
        stream = asked.get("stream")
        return RequestView(
            model=as_text(asked.get("model")) or name_in_path(_AZURE_DEPLOYMENT, path),
            stream=stream if isinstance(stream, bool) else None,
            parameters=read_parameters(asked),
        )

    @abstractmethod
    def reader(self) -> ResponseReader:
        """A fresh reader for one response."""

    @abstractmethod
    def error_body(self, *, message: str, code: str) -> dict[str, Any]:
        """An error in the shape the protocol's clients understand (JSON-ready)."""


def posts_to(method: str, path: str, ending: str) -> bool:
    """Whether this is a POST to a path that ends so, whatever stands before it.

    >>> posts_to("POST", "/openai/deployments/x/chat/completions/", "/chat/completions")
    True
    """
    return method.upper() == "POST" and path.rstrip("/").endswith(ending)


def name_in_path(pattern: re.Pattern[str], path: str) -> str | None:
    """The pattern's first group in a path, percent-decoded; None if it does not match.

    >>> name_in_path(re.compile("/models/([^/]+)"), "/v1/models/gpt%2D4o")
    'gpt-4o'
    """
    found = pattern.search(path)
    return as_text(unquote(found[1])) if found else None
