"""Shapes that OpenAI's APIs, and all who copy them, have in common."""

from dataclasses import replace
from typing import Any

from replayproxy.model import Usage
from replayproxy.protocols.untrusted import Json, as_count, as_object
from replayproxy.protocols.usage import Counts, cost_problem


def read_usage(usage: object) -> Usage:
    """Read a `usage` object, by the names of chat completions or of Responses.

    Also the names of DeepSeek (`prompt_cache_hit_tokens`), Together
    (`cached_tokens`) and of gateways that pass Anthropic's on
    (`cache_creation_input_tokens`).

    >>> read_usage({"prompt_tokens": 9, "completion_tokens": -1}).output_tokens is None
    True
    """
    told = as_object(usage)
    of_input = _first_object(told, "prompt_tokens_details", "input_tokens_details")
    of_output = _first_object(told, "completion_tokens_details", "output_tokens_details")
    cached, of_cached = {**told, **of_input}, as_object(of_input.get("cached_tokens_details"))
    counts = Counts()
    counts.take("input_tokens", told, "prompt_tokens", "input_tokens")
    counts.take("output_tokens", told, "completion_tokens", "output_tokens")
    counts.take("cache_read_tokens", cached, "cached_tokens", "prompt_cache_hit_tokens")
    counts.take("cache_write_tokens", cached, "cache_write_tokens", "cache_creation_input_tokens")
    counts.take("reasoning_tokens", of_output, "reasoning_tokens")
    counts.take("input_audio_tokens", of_input, "audio_tokens")
    counts.take("output_audio_tokens", of_output, "audio_tokens")
    counts.take("cache_read_audio_tokens", of_cached, "audio_tokens")
    read = _with_reasoning(counts.usage(), as_count(told.get("total_tokens")))
    return replace(read, problems=read.problems + cost_problem(told))


def _with_reasoning(usage: Usage, total: int | None) -> Usage:
    """XAI counts reasoning beside the output; only the total gives it away."""
    input_tokens, output_tokens = usage.input_tokens, usage.output_tokens
    if input_tokens is None or output_tokens is None or not usage.reasoning_tokens:
        return usage
    if total != input_tokens + output_tokens + usage.reasoning_tokens:
        return usage
    return replace(usage, output_tokens=output_tokens + usage.reasoning_tokens)


def openai_error_body(*, message: str, code: str) -> dict[str, Any]:
    """An error as OpenAI's clients read it."""
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    return {"error": error}


def _first_object(source: Json, *names: str) -> Json:
    return next((found for name in names if (found := as_object(source.get(name)))), {})
