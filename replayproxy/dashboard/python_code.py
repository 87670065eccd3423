"""A request as a Python program: with the `openai` package where that sends it, else with httpx.

Rule: the program sends the same JSON, or the same bytes. Every value is a literal in
which no character is invisible.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from replayproxy.dashboard.outgoing import Outgoing, joined
from replayproxy.json_text import UNREADABLE, parse_json

WIDTH = 88

_CALLS: dict[str, tuple[str, frozenset[str], frozenset[str]]] = {
    "/chat/completions": (
        "chat.completions",
        frozenset({"model", "messages"}),
        frozenset(
            """
            audio frequency_penalty logit_bias logprobs max_completion_tokens max_tokens messages
            metadata modalities model n parallel_tool_calls presence_penalty reasoning_effort
            response_format seed service_tier stop store stream stream_options temperature
            tool_choice tools top_logprobs top_p user
            """.split()
        ),
    ),
    "/responses": (
        "responses",
        frozenset({"model", "input"}),
        frozenset(
            """
            include input instructions max_output_tokens metadata model parallel_tool_calls
            previous_response_id reasoning service_tier store stream temperature text tool_choice
            tools top_p truncation user
            """.split()
        ),
    ),
}
"""Endings of paths: the method that sends it, what it requires, and what it has names for."""


def python(sent: Outgoing) -> str:
    """The program."""
    body = _json_of(sent)
    return "\n".join(_with_openai(sent, body) or _with_httpx(sent, body)) + "\n"


def literal(value: object, indent: int = 0) -> str:
    """A JSON value as Python writes it, over several lines if it is long.

    >>> print(literal({"a": [1, None, True, 'say "hi"']}))
    {"a": [1, None, True, 'say "hi"']}
    """
    short = _on_one_line(value)
    if len(short) + indent <= WIDTH or not value or not isinstance(value, dict | list):
        return short
    inner = " " * (indent + 4)
    if isinstance(value, dict):
        rows = [
            f"{inner}{_on_one_line(name)}: {literal(v, indent + 4)},\n" for name, v in value.items()
        ]
        return "{\n" + "".join(rows) + " " * indent + "}"
    rows = [f"{inner}{literal(item, indent + 4)},\n" for item in value]
    return "[\n" + "".join(rows) + " " * indent + "]"


def _on_one_line(value: object) -> str:
    if isinstance(value, dict):
        rows = (f"{_on_one_line(name)}: {_on_one_line(item)}" for name, item in value.items())
        return "{" + ", ".join(rows) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(_on_one_line, value))}]"
    plain = isinstance(value, str) and value.isprintable() and not set(value) & {'"', "\\"}
    return f'"{value}"' if plain else repr(value)


def _json_of(sent: Outgoing) -> object:
    """The body's value, if JSON that is written anew is the same; else `UNREADABLE`."""
    if sent.show or not sent.body:
        return UNREADABLE
    value = parse_json(sent.body)
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError):  # `UNREADABLE`, NaN, half of a surrogate pair
        return UNREADABLE
    return value


def _with_openai(sent: Outgoing, body: object) -> list[str]:
    """Nothing, if that package would send something else."""
    url = sent.url[0]
    ending = next((ending for ending in _CALLS if url.endswith(ending)), None)
    fits = ending and len(sent.url) == 1 and sent.method == "POST" and isinstance(body, dict)
    if not ending or not fits or any(name != "authorization" for name, _ in sent.keys):
        return []
    assert isinstance(body, dict)
    call, required, known = _CALLS[ending]
    if not required <= body.keys() or not isinstance(body.get("stream", False), bool):
        return []
    key = f'os.environ["{sent.key_name}"]' if sent.keys else '"none"'
    arguments = [*_arguments(body, known)]
    if more := [pair for pair in sent.headers if pair[0] not in {"accept", "content-type"}]:
        arguments.append(f"extra_headers={literal(dict(more), 4)}")
    streams = body.get("stream", False)
    return [
        *(["import os", ""] if sent.keys else []),
        "from openai import OpenAI",
        "",
        "client = OpenAI(",
        f"    base_url={literal(url.removesuffix(ending))},",
        f"    api_key={key},",
        ")",
        f"response = client.{call}.create(",
        *(f"    {argument}," for argument in arguments),
        ")",
        *(
            ["for event in response:", "    print(event.to_json(indent=None))"]
            if streams
            else ["print(response.to_json())"]
        ),
    ]


def _arguments(body: Mapping[str, Any], known: frozenset[str]) -> Iterator[str]:
    for name, value in body.items():
        if name in known:
            yield f"{name}={literal(value, 4)}"
    if more := {name: value for name, value in body.items() if name not in known}:
        yield f"extra_body={literal(more, 4)}"


def _with_httpx(sent: Outgoing, body: object) -> list[str]:
    imports = ["import os"] if sent.keys or len(sent.url) > 1 else []
    key = f'os.environ["{sent.key_name}"]'
    content: list[str] = []
    if sent.show and sent.body:
        imports.append("import subprocess")
        content = [f"content=subprocess.check_output({literal(list(sent.show), 4)})"]
    elif body is not UNREADABLE:
        content = [f"json={literal(body, 4)}"]
    elif sent.body:
        content = [f"content={sent.body!r}"]
    lines = [
        literal(sent.method),
        f" + {key} + ".join(map(literal, sent.url)),
        *_headers(sent, key),
        *content,
        "timeout=600",
    ]
    return [
        *imports,
        *([""] if imports else []),
        "import httpx",
        "",
        "with httpx.stream(",
        *(f"    {line}," for line in lines),
        ") as response:",
        "    print(response.status_code)",
        "    for text in response.iter_text():",
        '        print(text, end="", flush=True)',
    ]


def _headers(sent: Outgoing, key: str) -> Iterator[str]:
    rows = [f"{literal(n)}: {f'{literal(p)} + ' if p else ''}{key}" for n, p in sent.keys]
    rows += [f"{literal(name)}: {literal(value)}" for name, value in joined(sent.headers).items()]
    if rows:
        yield "headers={\n" + "".join(f"        {row},\n" for row in rows) + "    }"
