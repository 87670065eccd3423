"""Shapes that OpenAI's APIs, and all who copy them, have in common."""

from typing import Any

from replayproxy.model import Usage
from replayproxy.protocols.untrusted import Json, as_count, as_object


def read_usage(usage: object) -> Usage:
    """Read a `usage` object, by the names of chat completions or of Responses.

    Also the names of DeepSeek (`prompt_cache_hit_tokens`), Together
    (`cached_tokens`) and of gateways that pass Anthropic's on
    (`cache_creation_input_tokens`).

    >>> read_usage({"prompt_tokens": 9, "completion_tokens": -1}).output_tokens is None
    True
    """
    told = as_object(usage)
    cached = {**told, **_first_object(told, "prompt_tokens_details", "input_tokens_details")}
    of_output = _first_object(told, "completion_tokens_details", "output_tokens_details")
    input_tokens = _first_count(told, "prompt_tokens", "input_tokens")
    output_tokens = _first_count(told, "completion_tokens", "output_tokens")
    reasoning_tokens = as_count(of_output.get("reasoning_tokens"))
    if input_tokens is not None and output_tokens is not None and reasoning_tokens:
        # xAI counts reasoning beside the output; only the total gives it away.
        apart = input_tokens + output_tokens + reasoning_tokens
        if as_count(told.get("total_tokens")) == apart:
            output_tokens += reasoning_tokens
    return Usage(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cache_read_tokens=_first_count(cached, "cached_tokens", "prompt_cache_hit_tokens"),
        cache_write_tokens=_first_count(
            cached, "cache_write_tokens", "cache_creation_input_tokens"
        ),
        reasoning_tokens=reasoning_tokens,
    )


def openai_error_body(*, message: str, code: str) -> dict[str, Any]:
    """An error as OpenAI's clients read it."""
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    return {"error": error}


def _first_count(source: Json, *names: str) -> int | None:
    counts = (as_count(source.get(name)) for name in names)
    return next((count for count in counts if count is not None), None)


def _first_object(source: Json, *names: str) -> Json:
    return next((found for name in names if (found := as_object(source.get(name)))), {})
