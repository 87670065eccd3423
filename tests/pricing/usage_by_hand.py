"""Usage and cost of a stream, worked out without anything of the package.

Every usage object of the stream is flattened, the later ones over the earlier; what
each API means by its names is added up here, and priced at rates typed in from the
providers' price pages.
"""

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

MILLION = 1_000_000

type Rates = tuple[str, str, str, str]
"""USD for a million tokens: input, read from cache, written to it, output."""

RATES: dict[str, Rates] = {
    "claude-3-5-sonnet": ("3", "0.30", "3.75", "15"),
    "claude-haiku-4-5": ("1", "0.10", "1.25", "5"),
    "claude-opus-4-1": ("15", "1.50", "18.75", "75"),
    "claude-opus-4-6": ("5", "0.50", "6.25", "25"),
    "claude-sonnet-4": ("3", "0.30", "3.75", "15"),
    "gemini-2.0-flash": ("0.10", "0.025", "0.10", "0.40"),
    "gemini-2.5-flash-lite": ("0.10", "0.01", "0.10", "0.40"),
    "gemini-2.5-flash": ("0.30", "0.03", "0.30", "2.50"),
    "gemini-3.5-flash": ("1.50", "0.15", "1.50", "9"),
    "gpt-3.5-turbo": ("0.50", "0.50", "0.50", "1.50"),
    "gpt-4-0613": ("30", "30", "30", "60"),
    "gpt-4.1-2025": ("2", "0.50", "2", "8"),
    "gpt-4o-mini": ("0.15", "0.075", "0.15", "0.60"),
    "gpt-4o": ("2.50", "1.25", "2.50", "10"),
    "gpt-5.5": ("5", "0.50", "5", "30"),
    "o4-mini": ("1.10", "0.275", "1.10", "4.40"),
    "llama3-8b-8192": ("0.05", "0.05", "0.05", "0.08"),
    "meta-llama/Llama-3.3-70B-Instruct-Turbo": ("0.88", "0.88", "0.88", "0.88"),
    "mistral-small-latest": ("0.15", "0.015", "0.15", "0.60"),
    "google/gemini-2.5-flash": ("0.30", "0.075", "0.3833", "2.50"),
    "moonshotai/kimi-k2": ("0.57", "0.57", "0.57", "2.30"),
}
WEB_SEARCH = Decimal("0.01")

_NAMES = {
    "messages": ("input_tokens", "output_tokens"),
    "chat": ("prompt_tokens", "completion_tokens"),
    "responses": ("input_tokens", "output_tokens"),
    "gemini": ("promptTokenCount", "candidatesTokenCount"),
    "interactions": ("total_input_tokens", "total_output_tokens"),
}
_BESIDE_INPUT = {
    "messages": ("cache_read_input_tokens", "cache_creation_input_tokens"),
    "gemini": ("toolUsePromptTokenCount",),
    "interactions": ("total_tool_use_tokens",),
}
_BESIDE_OUTPUT = {
    "gemini": ("thoughtsTokenCount",),
    "interactions": ("total_thought_tokens",),
}
_READ = (
    "cache_read_input_tokens",
    "prompt_tokens_details.cached_tokens",
    "input_tokens_details.cached_tokens",
    "cached_tokens",
    "cachedContentTokenCount",
    "total_cached_tokens",
)
_WRITTEN = ("cache_creation_input_tokens", "input_tokens_details.cache_write_tokens")
_REASONING = (
    "completion_tokens_details.reasoning_tokens",
    "output_tokens_details.reasoning_tokens",
    "output_tokens_details.thinking_tokens",
    "thoughtsTokenCount",
    "total_thought_tokens",
)


def events(stream: bytes) -> Iterator[Any]:
    """What stands behind every `data:` and is JSON."""
    for line in re.split(rb"\r\n|\n|\r", stream):
        if line.startswith(b"data:"):
            try:
                yield json.loads(line[5:])
            except ValueError:
                pass


def told(stream: bytes) -> dict[str, Any]:
    """All usage objects, flattened, the last value of each name."""
    found: dict[str, Any] = {}

    def flatten(prefix: str, node: dict[str, Any]) -> None:
        for name, value in node.items():
            if isinstance(value, dict):
                flatten(f"{prefix}{name}.", value)
            elif isinstance(value, int | float):
                found[f"{prefix}{name}"] = value

    def search(node: Any) -> None:
        for name, value in node.items() if isinstance(node, dict) else enumerate(node):
            if name in ("usage", "usageMetadata") and isinstance(value, dict):
                flatten("", value)
            elif isinstance(value, dict | list):
                search(value)

    for event in events(stream):
        if isinstance(event, dict):
            search(event)
    return found


def usage_by_hand(api: str, stream: bytes) -> dict[str, int | None]:
    """The five counts of every stream; None: the provider did not say."""
    said = told(stream)

    def first(names: tuple[str, ...]) -> Any:
        return next((said[name] for name in names if name in said), None)

    def whole(name: str, beside: tuple[str, ...]) -> Any:
        return said[name] + sum(said.get(other, 0) for other in beside) if name in said else None

    input_name, output_name = _NAMES.get(api, ("", ""))
    return {
        "input_tokens": whole(input_name, _BESIDE_INPUT.get(api, ())),
        "output_tokens": whole(output_name, _BESIDE_OUTPUT.get(api, ())),
        "cache_read_tokens": first(_READ),
        "cache_write_tokens": first(_WRITTEN),
        "reasoning_tokens": first(_REASONING),
    }


def cost_by_hand(api: str, model: str, stream: bytes) -> Decimal | None:
    """What the provider says, else what the counts come to; None: nobody can say."""
    said = told(stream)
    if "cost" in said:
        return Decimal(str(said["cost"]))
    usage = usage_by_hand(api, stream)
    if usage["input_tokens"] is None:
        return None
    name = max((known for known in RATES if known in model), key=len)
    plain, read, written, output = map(Decimal, RATES[name])
    cached, stored = usage["cache_read_tokens"] or 0, usage["cache_write_tokens"] or 0
    total: Decimal = (
        (usage["input_tokens"] - cached - stored) * plain
        + cached * read
        + stored * written
        + (usage["output_tokens"] or 0) * output
    ) / MILLION
    searches = int(said.get("server_tool_use.web_search_requests", 0))
    return total + searches * WEB_SEARCH
