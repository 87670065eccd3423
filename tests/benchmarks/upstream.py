"""The upstream of the benchmarks: a process of its own, fast, and on time.

    python -m tests.benchmarks.upstream

Who asks for a stream says in the last message, which gateways pass on, what it shall
be: `{"chunks": 100, "gap_ms": 20, "stamp": false}`. With `stamp` each event says when
it was sent, by the clock that all processes share (`time.monotonic_ns`). Whoever asks
for no stream gets one short answer. The tests have an upstream that can do more, and
less fast (tests/end_to_end/upstream.py).
"""

import asyncio
import json
import sys
import time
from typing import Any

import uvloop

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
LAST = b"0\r\n\r\n"
_SHORT = json.dumps(
    {
        "id": "chatcmpl-benchmark",
        "object": "chat.completion",
        "created": 1767225600,
        "model": "gpt-4o-2024-08-06",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Certainly. It is 42."},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18},
        "system_fingerprint": "fp_benchmark",
    }
).encode()
SHORT = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Request-Id: req-1\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(_SHORT), _SHORT)
)
_WORDS = "the answer to that is not as simple as one would like it to be because".split()


def event(
    number: int,
    of: int,
    *,
    id: str = "chatcmpl-AQ8lKKkPGZnRz5kTNbqpnwyGZ0123",
    word: str | None = None,
) -> bytes:
    """One event of a realistic stream, about 300 bytes."""
    if number == of - 1:
        return b"data: [DONE]\n\n"
    choices: list[dict[str, Any]] = [
        {
            "index": 0,
            "delta": {"content": f"{word or _WORDS[number % len(_WORDS)]} "},
            "logprobs": None,
            "finish_reason": None,
        }
    ]
    if number == 0:
        choices[0]["delta"] = {"role": "assistant", "content": "", "refusal": None}
    elif number == of - 3:
        choices[0] |= {"delta": {}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 11, "completion_tokens": of, "total_tokens": of + 11}
    body = {
        "id": id,
        "object": "chat.completion.chunk",
        "created": 1767225600,
        "model": "gpt-4o-2024-08-06",
        "service_tier": "default",
        "system_fingerprint": "fp_f85bea6784",
        "choices": [] if number == of - 2 else choices,
        "usage": usage if number == of - 2 else None,
    }
    return f"data: {json.dumps(body, separators=(',', ':'))}\n\n".encode()


def chunk(data: bytes) -> bytes:
    """One HTTP chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


class _Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self._received = b""
        self._streaming: asyncio.TimerHandle | None = None
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self._streaming:
            self._streaming.cancel()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, rest = self._received.partition(b"\r\n\r\n")
        if not end:
            return
        lowered = head.lower()
        at = lowered.find(b"content-length:")
        length = int(lowered[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(rest) < length:
            return
        self._received = rest[length:]
        asked = json.loads(rest[:length] or b"{}")
        if not asked.get("stream"):
            self._transport.write(SHORT)
            return
        wanted = json.loads(asked["messages"][-1]["content"])
        pieces = [event(number, wanted["chunks"]) for number in range(wanted["chunks"])]
        gap_s = wanted["gap_ms"] / 1000
        if gap_s:
            self._transport.write(HEAD)
            self._pace(pieces, 0, gap_s, asyncio.get_running_loop().time(), wanted["stamp"])
        else:
            self._transport.write(HEAD + b"".join(chunk(piece) for piece in pieces) + LAST)

    def _pace(
        self, pieces: list[bytes], number: int, gap_s: float, start_s: float, stamp: bool
    ) -> None:
        """Send one; each is due at a time of its own, so that none is late for another."""
        piece = pieces[number]
        if stamp:
            piece = piece.replace(b"\n\n", b"\n: sent_ns %d\n\n" % time.monotonic_ns())
        if number + 1 == len(pieces):
            self._transport.write(chunk(piece) + LAST)
            return
        self._transport.write(chunk(piece))
        self._streaming = asyncio.get_running_loop().call_at(
            start_s + (number + 1) * gap_s, self._pace, pieces, number + 1, gap_s, start_s, stamp
        )


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Connection, "127.0.0.1", 0, backlog=4096)
    print(f"listening on http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    # its parent holds the other end: when that is gone, so are we
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(_serve())
