"""The API wire shapes we can read, one file each."""

from replayproxy.json_text import UNREADABLE, parse_json
from replayproxy.model import Request
from replayproxy.protocols.anthropic_messages import AnthropicMessages
from replayproxy.protocols.base import Protocol, RequestView, ResponseReader
from replayproxy.protocols.gemini import Gemini
from replayproxy.protocols.gemini_interactions import GeminiInteractions
from replayproxy.protocols.openai_chat import OpenAIChat
from replayproxy.protocols.openai_responses import OpenAIResponses
from replayproxy.protocols.plain import PlainHTTP

__all__ = [
    "PROTOCOLS",
    "Protocol",
    "RequestView",
    "ResponseReader",
    "asked",
    "by_name",
    "detect",
]

_PLAIN = PlainHTTP()

PROTOCOLS: tuple[Protocol, ...] = (
    OpenAIChat(),
    AnthropicMessages(),
    OpenAIResponses(),
    Gemini(),
    GeminiInteractions(),
    _PLAIN,
)
"""In the order they are tried; the last one takes everything."""


def detect(method: str, path: str) -> Protocol:
    """The protocol that a request of this method and path (without query) speaks.

    >>> detect("POST", "/v1/chat/completions").name, detect("GET", "/v1/models").name
    ('openai_chat', 'http')
    """
    return next((protocol for protocol in PROTOCOLS if protocol.matches(method, path)), _PLAIN)


def by_name(name: str) -> Protocol:
    """The protocol of this name, as stored; plain HTTP if there is none (any more)."""
    return next((protocol for protocol in PROTOCOLS if protocol.name == name), _PLAIN)


def asked(request: Request) -> RequestView:
    """What a request asks for, in the words of its protocol."""
    body = parse_json(request.body) if request.body else UNREADABLE
    return detect(request.method, request.path).read_request(request.path, body)
