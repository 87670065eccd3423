"""Usage and cost of whole streams against `usage_by_hand`.

Streams of our own have every shape that providers send; those of a folder that
`REPLAYPROXY_STREAMS` names (with an `index.jsonl`) are checked as well.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from replayproxy.content_coding import Decoder
from replayproxy.model import Chunk, Ending, Exchange, Request
from replayproxy.pricing import priced
from replayproxy.recording import Recording
from tests.builders import NOON, a_head, a_request
from tests.pricing.usage_by_hand import cost_by_hand, usage_by_hand

HOSTS = {
    "openai": "https://api.openai.com/v1/chat/completions",
    "responses": "https://api.openai.com/v1/responses",
    "anthropic": "https://api.anthropic.com/v1/messages",
    "gemini": "https://generativelanguage.googleapis.com/v1beta/models/"
    "gemini-2.5-flash:streamGenerateContent?alt=sse",
    "interactions": "https://generativelanguage.googleapis.com/v1beta/interactions",
    "groq": "https://api.groq.com/openai/v1/chat/completions",
    "together": "https://api.together.ai/v1/chat/completions",
    "openrouter": "https://openrouter.ai/api/v1/chat/completions",
    "aigateway": "https://api.aigateway.sh/v1/chat/completions",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """A stream, what it answers, and the API's shape."""

    name: str
    api: str
    request: Request
    body: bytes


def of_ours() -> Iterator[Stream]:
    """Every shape of usage: cumulative, at the end, without choices, cached, never, ..."""

    def stream(name: str, api: str, host: str, model: str, *events: object) -> Stream:
        lines = [e if isinstance(e, str) else json.dumps(e) for e in events]
        body = "".join(f"data: {line}\n\n" for line in lines).encode()
        return Stream(
            name=name, api=api, request=request_to(HOSTS[host], {"model": model}), body=body
        )

    def chat(**usage: Any) -> dict[str, Any]:
        return {"id": "c", "choices": [], "usage": usage}

    def gemini(**usage: int) -> dict[str, Any]:
        candidate = {"content": {"parts": [{"text": "a"}]}, "finishReason": "STOP"}
        return {
            "candidates": [candidate],
            "usageMetadata": usage,
            "modelVersion": "gemini-2.5-flash",
        }

    text = {"choices": [{"index": 0, "delta": {"content": "a"}}], "usage": None}
    done = "[DONE]"
    yield stream("no usage", "chat", "openai", "gpt-4o", text, done)
    yield stream(
        "at the end",
        "chat",
        "openai",
        "gpt-4o",
        text,
        chat(prompt_tokens=1234, completion_tokens=567, total_tokens=1801),
        done,
    )
    yield stream(
        "cumulative",
        "chat",
        "openai",
        "gpt-4o-mini",
        *(chat(prompt_tokens=99, completion_tokens=n, total_tokens=99 + n) for n in range(9)),
    )
    yield stream(
        "cached and reasoning",
        "chat",
        "openai",
        "o4-mini-2025-04-16",
        chat(
            prompt_tokens=5000,
            completion_tokens=900,
            prompt_tokens_details={"cached_tokens": 4096},
            completion_tokens_details={"reasoning_tokens": 800},
        ),
    )
    yield stream(
        "groq's own place",
        "chat",
        "groq",
        "llama3-8b-8192",
        text,
        {"x_groq": {"usage": {"prompt_tokens": 20, "completion_tokens": 7}}},
        done,
    )
    yield stream(
        "together's name for cached",
        "chat",
        "together",
        "meta-llama/Llama-3.3-70B-Instruct-Turbo",
        chat(prompt_tokens=41, completion_tokens=15, cached_tokens=0),
    )
    yield stream(
        "a reported cost",
        "chat",
        "openrouter",
        "google/gemini-2.5-flash",
        chat(prompt_tokens=9, completion_tokens=4, cost=0.0000987),
        done,
    )
    yield stream(
        "a gateway without choices",
        "chat",
        "aigateway",
        "anthropic/claude-sonnet-4",
        text,
        {"usage": {"prompt_tokens": 1000, "completion_tokens": 10, "cost": 0.01}},
        done,
    )
    yield stream(
        "a gateway without a cost",
        "chat",
        "aigateway",
        "anthropic/claude-haiku-4-5",
        text,
        {"usage": {"prompt_tokens": 1000, "completion_tokens": 10}},
        done,
    )
    yield stream(
        "anthropic, cached",
        "messages",
        "anthropic",
        "claude-sonnet-4-20250514",
        {
            "type": "message_start",
            "message": {
                "usage": {
                    "input_tokens": 3,
                    "cache_creation_input_tokens": 1500,
                    "cache_read_input_tokens": 20_000,
                    "output_tokens": 1,
                }
            },
        },
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn"},
            "usage": {"output_tokens": 321, "output_tokens_details": {"thinking_tokens": 99}},
        },
        {"type": "message_stop"},
    )
    yield stream(
        "anthropic, cut",
        "messages",
        "anthropic",
        "claude-opus-4-6",
        {
            "type": "message_start",
            "message": {
                "usage": {"input_tokens": 30, "cache_read_input_tokens": 0, "output_tokens": 2}
            },
        },
    )
    yield stream(
        "anthropic, searching",
        "messages",
        "anthropic",
        "claude-haiku-4-5-20251001",
        {
            "type": "message_delta",
            "delta": {},
            "usage": {
                "input_tokens": 10_000,
                "output_tokens": 100,
                "server_tool_use": {"web_search_requests": 3},
            },
        },
        {"type": "message_stop"},
    )
    yield stream(
        "responses",
        "responses",
        "responses",
        "gpt-4.1-2025-04-14",
        {"type": "response.created", "response": {"usage": None}},
        {
            "type": "response.completed",
            "response": {
                "service_tier": "default",
                "usage": {
                    "input_tokens": 2000,
                    "input_tokens_details": {"cached_tokens": 1024},
                    "output_tokens": 70,
                    "output_tokens_details": {"reasoning_tokens": 0},
                    "total_tokens": 2070,
                },
            },
        },
    )
    yield stream(
        "gemini",
        "gemini",
        "gemini",
        "gemini-2.5-flash",
        gemini(promptTokenCount=71, totalTokenCount=71),
        gemini(
            promptTokenCount=71,
            candidatesTokenCount=33,
            thoughtsTokenCount=93,
            toolUsePromptTokenCount=12,
            cachedContentTokenCount=40,
            totalTokenCount=209,
        ),
    )
    yield stream(
        "gemini without input",
        "gemini",
        "gemini",
        "gemini-2.5-flash",
        gemini(candidatesTokenCount=23, thoughtsTokenCount=67),
    )
    yield stream("interactions", "interactions", "interactions", "gemini-2.5-flash",
                 {"event_type": "interaction.completed", "interaction": {"usage": {
                     "total_input_tokens": 9, "total_output_tokens": 13, "total_cached_tokens": 0,
                     "total_thought_tokens": 220, "total_tool_use_tokens": 5}}}, done)  # fmt: skip


def of_the_folder() -> Iterator[Stream]:
    folder = Path(os.environ.get("REPLAYPROXY_STREAMS", ""))
    index = folder / "index.jsonl"
    if not os.environ.get("REPLAYPROXY_STREAMS") or not index.exists():
        return
    for line in index.read_text().splitlines():
        entry = json.loads(line)
        asked = json.loads((folder / entry["request"]).read_text())
        yield Stream(
            name=entry["file"],
            api=entry["api"],
            request=request_to(asked["url"], asked["body"]),
            body=(folder / entry["file"]).read_bytes(),
        )


def request_to(address: str, body: object) -> Request:
    url = urlsplit(address)
    return a_request(
        host=url.hostname, path=url.path, query=url.query, body=json.dumps(body).encode()
    )


def recorded(stream: Stream) -> Exchange:
    recording = Recording(
        request=stream.request, started_at=NOON, cassette="default", decoder=Decoder
    )
    recording.head(a_head())
    for start in range(0, len(stream.body), 1000):
        recording.chunks([Chunk(offset_ns=start, data=stream.body[start : start + 1000])])
    recording.finish(Ending.FINISHED, len(stream.body))
    return priced(recording.exchange())


STREAMS = [*of_ours(), *of_the_folder()]


@pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: stream.name)
def test_usage_is_what_the_stream_says(stream: Stream) -> None:
    expected = usage_by_hand(stream.api, stream.body)

    usage = recorded(stream).usage

    assert {name: getattr(usage, name) for name in expected} == expected
    assert usage.problems == ()


@pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: stream.name)
def test_the_cost_is_right_to_the_last_digit(stream: Stream) -> None:
    exchange = recorded(stream)
    model = exchange.response_model or exchange.request_model or ""

    expected = cost_by_hand(stream.api, model, stream.body)

    assert exchange.cost_usd == expected
    assert (exchange.cost_source == "no_usage") == (expected is None)


def test_the_streams_of_ours_have_known_and_unknown_costs() -> None:
    costs = {stream.name: recorded(stream).cost_usd for stream in of_ours()}

    assert {name for name, cost in costs.items() if cost is None} == {
        "no usage",
        "gemini without input",
    }
