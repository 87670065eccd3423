"""What the official SDK makes of a chat stream is what we make of it, or there is a reason."""

from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest
from openai import APIError, OpenAI

from replayproxy.model import Answer
from replayproxy.protocols import detect
from replayproxy.sse import SSEDecoder
from tests.end_to_end.torture import streams

PATH = "/v1/chat/completions"
CHATS = {
    name: body
    for name, body in streams().items()
    if b"chat.completion.chunk" in body or b'"choices"' in body
}


REASONS = {
    "bom": "the SDK loses the first event after a byte order mark; browsers do not",
    "no data": "an event without data is none; the SDK parses the nothing as JSON and raises",
    "terminal twice, then more": "the SDK stops at the first [DONE]; what came later came, too",
    "invalid utf-8": "the SDK raises; we show U+FFFD and keep the bytes",
    "nul and line separators": "an event that is no JSON makes the SDK raise; we go on",
    "lone surrogate": "the SDK gives text that cannot be encoded; we show U+FFFD",
    "null everywhere": "a delta of null makes the client raise; there is nothing in it to read",
    "tool calls out of order": "a call that is a number makes the client raise; it is left out",
}


@dataclass(slots=True)
class Said:
    """What a stream says: text and reason by choice; the tools' names and arguments."""

    text: dict[int, str] = field(default_factory=dict)
    reasons: dict[int, str] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    arguments: list[str] = field(default_factory=list)
    usage: tuple[int, int] | None = None
    error: str | None = None


def by_the_sdk(body: bytes) -> Said:
    headers = {"content-type": "text/event-stream"}
    transport = httpx2.MockTransport(
        lambda request: httpx2.Response(200, headers=headers, content=body)
    )
    said = Said()
    calls: dict[tuple[int, int], Any] = {}
    with (
        httpx2.Client(transport=transport) as client,
        OpenAI(base_url="http://x/v1", api_key="x", http_client=client, max_retries=0) as sdk,
    ):
        try:
            for chunk in sdk.chat.completions.create(model="m", messages=[], stream=True):
                _add(said, calls, chunk)
        except (APIError, ValueError, TypeError, AttributeError) as error:
            said.error = str(error) or type(error).__name__
    said.names = [call[0] for call in calls.values()]
    said.arguments = [call[1] for call in calls.values()]
    return said


def _add(said: Said, calls: dict[tuple[int, int], Any], chunk: Any) -> None:
    if chunk.usage:
        said.usage = (chunk.usage.prompt_tokens, chunk.usage.completion_tokens)
    for choice in chunk.choices:
        if choice.delta.content:
            said.text[choice.index] = said.text.get(choice.index, "") + choice.delta.content
        if choice.finish_reason:
            said.reasons[choice.index] = choice.finish_reason
        for piece in choice.delta.tool_calls or ():
            call = calls.setdefault((choice.index, piece.index), ["", ""])
            if piece.function:
                call[0] += piece.function.name or ""
                call[1] += piece.function.arguments or ""


def by_us(body: bytes) -> Said:
    reader, decoder = detect("POST", PATH).reader(), SSEDecoder()
    for event in [*decoder.feed(body), *decoder.flush()]:
        reader.read_event(event)
    answer: Answer = reader.answer()
    usage = answer.usage
    calls = [call for choice in answer.choices for call in choice.tool_calls]
    return Said(
        text={choice.index: choice.text for choice in answer.choices if choice.text},
        reasons={c.index: c.finish_reason for c in answer.choices if c.finish_reason},
        names=[call.name or "" for call in calls],
        arguments=[call.arguments for call in calls],
        usage=(usage.input_tokens or 0, usage.output_tokens or 0) if usage.input_tokens else None,
        error=answer.error,
    )


@pytest.mark.parametrize("name", [name for name in CHATS if name not in REASONS])
def test_we_read_what_the_sdk_reads(name: str) -> None:
    sdk, we = by_the_sdk(CHATS[name]), by_us(CHATS[name])

    # some servers repeat a tool's name in every piece: the SDK joins them
    joined = [sdks.replace(ours, "") for sdks, ours in zip(sdk.names, we.names, strict=True)]
    assert joined == [""] * len(we.names)
    # it knows one place for the usage; Groq's is another
    assert sdk.usage in {we.usage, None}
    assert (sdk.text, sdk.reasons, sdk.arguments) == (we.text, we.reasons, we.arguments)
    assert bool(sdk.error) == bool(we.error)


@pytest.mark.parametrize("name", REASONS)
def test_where_the_sdk_reads_otherwise_there_is_a_reason(name: str) -> None:
    sdk, we = by_the_sdk(CHATS[name]), by_us(CHATS[name])

    assert sdk != we
    assert not we.error
