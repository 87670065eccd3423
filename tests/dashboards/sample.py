"""Databases to look at, made as a recording makes them: through the real Writer."""

import json
import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from replayproxy.model import Ending, Headers, Request, ResponseHead
from replayproxy.store import Replayed, ReplayLog, Writer
from replayproxy.store.replay_log import Result

MS = 1_000_000
HOSTILE = "<img src=x onerror=document.title='PWNED'>"
HOSTILE_SCRIPT = "</script></svg><script>document.title='PWNED'</script>{{7*7}}"
HOSTILE_TERMINAL = "\x1b[31mred\x07\u202egpj.exe"
HOSTILES = (HOSTILE, HOSTILE_SCRIPT, HOSTILE_TERMINAL)


@dataclass(kw_only=True)
class Said:
    """What one exchange is made of; a test names only what matters to it."""

    model: str = "gpt-4o"
    request: Any = None
    request_body: bytes | None = None
    host: str = "api.aigateway.sh"
    path: str = "/v1/chat/completions"
    status: int | None = 200
    response_headers: Headers = (("content-type", "text/event-stream"),)
    headers: Headers = (
        ("authorization", "Bearer sk-canary-1"),
        ("content-type", "application/json"),
    )
    headers_ms: float = 120.0
    chunks: Iterable[tuple[float, bytes]] | None = None
    ending: Ending | None = Ending.FINISHED
    detail: str | None = None
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC) - timedelta(minutes=5))
    cassette: str = "default"


def data(value: object) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def delta(model: str = "gpt-4o", finish_reason: str | None = None, **content: Any) -> bytes:
    choice = {"index": 0, "delta": content, "finish_reason": finish_reason}
    return data({"id": "c1", "model": model, "choices": [choice]})


def call(**fragment: Any) -> bytes:
    """A piece of a tool call."""
    return delta(tool_calls=[{"index": 0, **fragment}])


def stream(
    words: Iterable[str],
    *,
    model: str = "gpt-4o",
    first_ms: float = 300.0,
    gap_ms: float = 40.0,
    cost: float | None = 0.0012,
    usage: tuple[int, int] = (206, 229),
) -> list[tuple[float, bytes]]:
    """A chat completion, one chunk a word."""
    chunks = [(first_ms - 40, delta(model, role="assistant", content=""))]
    at = first_ms
    for word in words:
        chunks.append((at, delta(model, content=word + " ")))
        at += gap_ms
    chunks.append((at, delta(model, finish_reason="stop")))
    counted: dict[str, Any] = {
        "prompt_tokens": usage[0],
        "completion_tokens": usage[1],
        "prompt_tokens_details": {"cached_tokens": usage[0] // 2},
    }
    if cost is not None:
        counted["cost"] = cost
    chunks.append((at, data({"choices": [], "usage": counted}) + b"data: [DONE]\n\n"))
    return chunks


def record(writer: Writer, said: Said) -> None:
    """Record one exchange; with `ending=None` it stays in flight."""
    asked = said.request or {
        "model": said.model,
        "stream": True,
        "messages": [
            {"role": "system", "content": "You are a test."},
            {"role": "user", "content": "Say something."},
        ],
    }
    request = Request(
        method="POST",
        scheme="https",
        host=said.host,
        port=443,
        path=said.path,
        headers=said.headers,
        body=json.dumps(asked).encode() if said.request_body is None else said.request_body,
    )
    tape = writer.record(request, started_at=said.started_at, cassette=said.cassette)
    offset_ms = said.headers_ms
    if said.status is not None:
        tape.head(
            ResponseHead(
                offset_ns=int(offset_ms * MS),
                status=said.status,
                reason="OK",
                headers=said.response_headers,
            )
        )
    chunks = (
        stream(["One", "two", "three."], model=said.model) if said.chunks is None else said.chunks
    )
    for offset_ms, piece in chunks:
        tape.chunk(int(offset_ms * MS), piece)
    if said.ending is not None:
        tape.end(said.ending, int((offset_ms + 1) * MS), detail=said.detail)


def write(path: Path, *exchanges: Said) -> Path:
    """A database with these exchanges."""
    writer = Writer(path)
    for said in exchanges:
        record(writer, said)
    writer.close()
    assert writer.not_recorded == 0
    return path


def replay(database: Path, *results: Result, **given: Any) -> None:
    """Note replays of so many results in a database, a minute ago unless `given` says when."""
    log = ReplayLog(database)
    for result in results:
        known: dict[str, Any] = {
            "replayed_at": datetime.now(UTC) - timedelta(minutes=1),
            "cassette": "default",
            "session": "",
            "result": result,
            "method": "POST",
            "host": "127.0.0.1",
            "path": "/v1/chat/completions",
            "request_model": "gpt-4o",
        }
        log.add(Replayed(**{**known, **given}))
    log.close()


def with_hostile_misses(database: Path) -> Path:
    """The database, with misses that have hostile text wherever a client can write."""
    written = ("cassette", "session", "method", "host", "path", "request_model", "message")
    for text in HOSTILES:
        replay(database, "miss", closest_id=1, **dict.fromkeys(written, text))
    return database


TOOLS_REQUEST = {
    "model": "gpt-4o",
    "stream": True,
    "temperature": 0.2,
    "tools": [{"type": "function", "function": {"name": "get_weather", "parameters": {}}}],
    "messages": [
        {"role": "system", "content": "You answer questions about the weather."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Is it raining in Lisbon? Here is a picture."},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
            ],
        },
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "call_1",
                    "type": "function",
                    "function": {"name": "get_weather", "arguments": '{"city":"Lisbon"}'},
                }
            ],
        },
        {
            "role": "tool",
            "tool_call_id": "call_1",
            "content": '{"rain": false, "celsius": 21, "wind": {"from": "NW", "kmh": 18}}',
        },
    ],
}


def tool_answer() -> list[tuple[float, bytes]]:
    """Reasoning, text and a tool call in fragments, with one stall."""
    return [
        (420, delta(role="assistant", content="")),
        (500, delta(reasoning_content="The user wants to know about rain. ")),
        (560, delta(reasoning_content="The tool says no.")),
        (690, delta(content="No, it is ")),
        (720, delta(content="dry in Lisbon. ")),
        (1900, delta(content="Let me look at ")),
        (1930, delta(content="tomorrow as well.")),
        (1990, call(id="call_2", function={"name": "get_weather"})),
        (2020, call(function={"arguments": '{"city":'})),
        (2050, call(function={"arguments": '"Lisbon","day":1}'})),
        (2090, delta(finish_reason="tool_calls")),
        (2095, data({"choices": [], "usage": {"prompt_tokens": 812, "completion_tokens": 64,
            "completion_tokens_details": {"reasoning_tokens": 21}, "cost": 0.00267}})
            + b"data: [DONE]\n\n"),
    ]  # fmt: skip


def hostile(text: str) -> Said:
    """An exchange with this text in every place that a stranger can write to."""
    return Said(
        model=text,
        headers=(("x-aig-tag", text.replace("\x1b", "")), ("user-agent", text.replace("\x1b", ""))),
        request={
            "model": text,
            text: text,
            "tools": [{"function": {"name": text}}],
            "messages": [
                {"role": text, "name": text, "content": text},
                {"role": "user", "content": [{"type": text, "text": text}]},
                {"role": "user", "content": [{"type": "image_url", "image_url": {"url": text}}]},
                {
                    "role": "assistant",
                    "tool_calls": [{"function": {"name": text, "arguments": text}}],
                },
            ],
        },
        chunks=[
            (300, delta(text, role=text, content=text, reasoning_content=text)),
            (
                340,
                delta(
                    text, tool_calls=[{"index": 0, "function": {"name": text, "arguments": text}}]
                ),
            ),
            (380, delta(text, finish_reason=text)),
            (390, data({"error": {"message": text}}) + b"data: [DONE]\n\n"),
        ],
    )


def varied() -> list[Said]:
    """One of each kind there is."""
    return [
        Said(request=TOOLS_REQUEST, chunks=tool_answer()),
        Said(
            chunks=stream("a long answer that breaks off".split())[:4], ending=Ending.CLIENT_CLOSED
        ),
        Said(ending=Ending.UPSTREAM_CLOSED, chunks=[(200, delta(content="cut"))], detail="reset"),
        Said(status=None, chunks=(), ending=Ending.UPSTREAM_CLOSED, detail="connection refused"),
        Said(
            status=429,
            response_headers=(("content-type", "application/json"),),
            chunks=[(90, b'{"error": {"message": "Rate limit reached", "type": "rate_limit"}}')],
        ),
        Said(
            path="/v1/audio/speech",
            request_body=b"\x00\x01\x02" * 300,
            response_headers=(("content-type", "audio/mpeg"),),
            chunks=[(90, bytes(range(256)) * 40), (140, b"\xff\xfb" * 900)],
        ),
        Said(
            path="/v1/files", request_body=b"not json {", status=200, chunks=[(90, b"plain words")]
        ),
        *(hostile(text) for text in HOSTILES),
    ]


def large(path: Path, count: int, *, days: float = 90, seed: int = 1) -> Path:
    """Many exchanges over a time, for pictures and for measuring."""
    rng = random.Random(seed)
    models = [
        ("claude-sonnet-4-5", 640, 0.006),
        ("gpt-4o", 410, 0.0042),
        ("gpt-5", 900, 0.0034),
        ("claude-haiku-4-5", 370, 0.002),
        ("gemini-2.5-pro", 1270, 0.0035),
        ("gpt-5-mini", 500, 0.0007),
        ("gemini-2.5-flash", 350, 0.0009),
        ("mistral-large", 480, 0.0029),
        ("llama-3.3-70b", 220, None),
        ("claude-opus-4-1", 1100, 0.03),
    ]
    weights = [43, 46, 30, 30, 17, 40, 23, 7, 10, 6]
    now = datetime.now(UTC)
    writer = Writer(path)
    for number in range(count):
        model, ttft, cost = rng.choices(models, weights)[0]
        age = (count - number) / count * days
        first = ttft * rng.lognormvariate(0, 0.45)
        words = ["word"] * rng.randint(3, 30)
        failed = rng.random() < 0.05
        said = Said(
            model=model,
            started_at=now - timedelta(days=age),
            headers=(("x-aig-tag", rng.choice(["prod", "eval", "eval-staging", "dev"])),),
            headers_ms=first * 0.6,
            status=rng.choice([429, 500, 400]) if failed else 200,
            response_headers=(
                ("content-type", "application/json" if failed else "text/event-stream"),
            ),
            chunks=[(first, b'{"error": {"message": "rate_limit_exceeded"}}')]
            if failed
            else stream(
                words,
                model=model,
                first_ms=first,
                gap_ms=rng.uniform(8, 60),
                cost=None if cost is None else cost * rng.lognormvariate(0, 0.6),
                usage=(rng.randint(100, 3000), rng.randint(20, 700)),
            ),
        )
        record(writer, said)
    writer.close()
    return path
