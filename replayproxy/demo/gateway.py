"""A small gateway that speaks AIgateway's chat completions, for the demo.

It streams what AIgateway streams: a role chunk, content or tool-call chunks, a
finish chunk, a usage chunk without `choices`, `[DONE]`; each HTTP chunk at a
time of its own. What it says is fixed; ids change with every answer, so that a
replay can be told from a live one.
"""

import asyncio
import itertools
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from replayproxy.json_text import parse_json
from replayproxy.model import Request
from replayproxy.playback import Write
from replayproxy.serving.origin import Origin
from replayproxy.serving.reply import Reply

_STORY = (
    "Somewhere between the prompt and the answer there is a wire, and on that wire "
    "there is time. Every token arrives when it arrives: early, late, or all at once. "
    "Record it, and the moment can be lived again \U0001f501, byte for byte."
)
_TOOL_ARGUMENTS = '{"city": "Zürich", "unit": "celsius"}'
_JSON_ANSWER = '{"name": "Ada", "born": 1815, "languages": ["English", "French"]}'


class Gateway:
    """Serves on a thread and a free loopback port, for the length of a `with` block.

    Attributes:
        url: its base URL.
        requests: how many it was asked.
    """

    def __init__(self) -> None:
        self.requests = 0
        self.url = ""
        self._answers = itertools.count(1)
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="demo-gateway", daemon=True)

    @property
    def interceptor_port(self) -> int | None:
        """It intercepts nothing."""
        return None

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    async def reply(self, request: Request, *, keep_alive: bool, by_proxy: bool) -> Reply:
        """Answers `POST .../chat/completions`, streamed or not."""
        asked = parse_json(request.body)
        if not isinstance(asked, dict) or not request.path.endswith("/chat/completions"):
            return self.refuse(f"no such endpoint: {request.method} {request.path}")
        self.requests += 1
        answer = _Answer(model=str(asked.get("model")), number=next(self._answers))
        if asked.get("tools"):
            answer.tool_arguments = _TOOL_ARGUMENTS
        elif asked.get("response_format"):
            answer.text = _JSON_ANSWER
        if asked.get("stream"):
            return _streamed(answer, keep_alive=keep_alive)
        return _plain(200, answer.whole(), keep_alive=keep_alive)

    def refuse(self, reason: str) -> Reply:
        """An error in OpenAI's shape."""
        return _plain(404, {"error": {"message": reason, "code": "not_found"}}, keep_alive=False)

    def _serve(self) -> None:
        origin = Origin(self)
        port = self._loop.run_until_complete(origin.start("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{port}/v1"
        self._loop.call_soon(self._ready.set)
        self._loop.run_forever()
        self._loop.run_until_complete(origin.close())
        self._loop.close()


@dataclass(slots=True, kw_only=True)
class _Answer:
    model: str
    number: int
    text: str = field(default=_STORY)
    tool_arguments: str | None = None

    def whole(self) -> dict[str, Any]:
        """Not streamed."""
        message = {"role": "assistant", "content": self.text}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return {**self._envelope("chat.completion"), "choices": [choice], "usage": self._usage()}

    def events(self) -> Iterator[dict[str, Any]]:
        """Streamed, but for `[DONE]`."""
        yield self._delta({"role": "assistant", "content": ""})
        if self.tool_arguments is None:
            for piece in _pieces(self.text, 9):
                yield self._delta({"content": piece})
            yield self._delta({}, finish_reason="stop")
        else:
            function = {"name": "get_weather", "arguments": ""}
            call = {"index": 0, "id": f"call_{self.number}", "type": "function"}
            yield self._delta({"tool_calls": [{**call, "function": function}]})
            for piece in _pieces(self.tool_arguments, 6):
                part = {"index": 0, "function": {"arguments": piece}}
                yield self._delta({"tool_calls": [part]})
            yield self._delta({}, finish_reason="tool_calls")
        usage = self._usage()
        cost = (usage["prompt_tokens"] * 3 + usage["completion_tokens"] * 15) / 1_000_000
        yield {"usage": {**usage, "cost": round(cost, 6)}}

    def _delta(self, delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        return {**self._envelope("chat.completion.chunk"), "choices": [choice]}

    def _envelope(self, kind: str) -> dict[str, Any]:
        number = f"chatcmpl-demo-{self.number}"
        return {"id": number, "object": kind, "created": 1790000000, "model": self.model}

    def _usage(self) -> dict[str, int]:
        output = len(self.tool_arguments or self.text) // 4
        return {"prompt_tokens": 24, "completion_tokens": output, "total_tokens": 24 + output}


def _pieces(text: str, size: int) -> Iterator[str]:
    for start in range(0, len(text), size):
        yield text[start : start + size]


def _streamed(answer: _Answer, *, keep_alive: bool) -> Reply:
    return Reply(writes=_stream_writes(answer, keep_alive=keep_alive), keep_alive=keep_alive)


def _stream_writes(answer: _Answer, *, keep_alive: bool) -> Iterator[Write]:
    """A wait for the headers, one for the first token, then an uneven rhythm with a stall."""
    head = _head(200, "text/event-stream", f"req-{answer.number}", keep_alive=keep_alive)
    yield Write(at_s=0.04, parts=(head + b"Transfer-Encoding: chunked\r\n\r\n",))
    at_s = 0.12
    for number, event in enumerate(answer.events()):
        data = f"data: {json.dumps(event, ensure_ascii=False)}\n\n".encode()
        yield Write(at_s=at_s, parts=(_chunk(data),))
        at_s += 0.25 if number == 12 else (0.008, 0.015, 0.03)[number % 3]
    yield Write(at_s=at_s, parts=(_chunk(b"data: [DONE]\n\n"),))
    yield Write(at_s=at_s, parts=(b"0\r\n\r\n",))


def _plain(status: int, body: dict[str, Any], *, keep_alive: bool) -> Reply:
    data = json.dumps(body).encode()
    head = _head(status, "application/json", str(body.get("id", "req-0")), keep_alive=keep_alive)
    length = f"Content-Length: {len(data)}\r\n\r\n".encode()
    write = Write(at_s=0.15, parts=(head + length + data,))
    return Reply(writes=iter([write]), keep_alive=keep_alive)


def _head(status: int, content_type: str, request_id: str, *, keep_alive: bool) -> bytes:
    connection = "keep-alive" if keep_alive else "close"
    return (
        f"HTTP/1.1 {status} {'OK' if status == 200 else 'Not Found'}\r\n"
        f"Content-Type: {content_type}\r\nX-Request-Id: {request_id}\r\n"
        f"Connection: {connection}\r\n"
    ).encode()


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)
