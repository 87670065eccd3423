"""Streams as bad as the wire brings them, and the ways they can be framed.

Every row of what servers are known to send is here in a body of our own. Bodies
of real providers can be added: `REPLAYPROXY_STREAMS=FOLDER` takes its `*.sse`.
"""

import gzip
import json
import os
import random
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.end_to_end.upstream import Close, Script, Send, chunk

DONE = b"data: [DONE]\n\n"
_EMOJI = "\U0001f9ea"


def _event(delta: dict[str, object], **more: object) -> bytes:
    body = {"id": "c", "model": "m", "choices": [{"index": 0, "delta": delta}], **more}
    return b"data: %b\n\n" % json.dumps(body, ensure_ascii=False).encode()


def _deep(depth: int) -> bytes:
    return b"data: " + b"[" * depth + b"]" * depth + b"\n\n"


BODIES = {
    "crlf": (_event({"content": "a"}) + DONE).replace(b"\n", b"\r\n"),
    "cr": (_event({"content": "a"}) + DONE).replace(b"\n", b"\r"),
    "bom": b"\xef\xbb\xbf" + _event({"content": "a"}) + DONE,
    "comments": b": PROCESSING\n\n" + _event({"content": "a"}) + b":\n\n: ping\n" + DONE,
    "no data": b"retry: 3000\nid: 7\nevent: delta\n\n" + _event({"content": "a"}) + DONE,
    "two spaces and none": b'data:{"choices":[]}\n\ndata:  {"choices":[]}\n\n' + DONE,
    "several data lines": b'data: {"choices":\ndata: []}\n\n' + DONE,
    "no final blank line": _event({"content": "a"}) + b"data: [DONE]\n",
    "no newline at the end": _event({"content": "a"}) + b"data: [DONE]",
    "no terminal": _event({"content": "a"}),
    "terminal twice, then more": DONE + b"data:  [DONE] \n\n" + _event({"content": "late"}),
    "multi-byte characters": _event({"content": f"日本語 {_EMOJI} é"}) + DONE,
    "invalid utf-8": b'data: {"choices":[{"delta":{"content":"\xff\xc3"}}]}\n\n' + DONE,
    "nul and line separators": _event({"content": "a\x00b\u2028c"}) + b"data: \x00\n\n" + DONE,
    "lone surrogate": b'data: {"choices":[{"delta":{"content":"\\ud83d"}}]}\n\n' + DONE,
    "very deep": _deep(2000) + DONE,
    "not a number, duplicate keys": b'data: {"a":NaN,"a":Infinity,"choices":[]}\n\n' + DONE,
    "not json": b"data: upstream connect error\n\n" + DONE,
    "html": b"<html><body>502 Bad Gateway</body></html>",
    "an error inside": b'data: {"error":{"message":"overloaded"}}\n\n' + DONE,
    "usage alone": b'data: {"usage":{"prompt_tokens":1,"completion_tokens":2}}\n\n' + DONE,
    "absurd usage": b'data: {"usage":{"prompt_tokens":-1,"completion_tokens":"9"}}\n\n' + DONE,
    "null everywhere": b'data: {"choices":[{"delta":null},null],"usage":null,"id":null}\n\n' + DONE,
    "arrays for objects": b'data: [1,[],"x"]\n\ndata: 3\n\ndata: null\n\n' + DONE,
    "tool calls out of order": _event(
        {"tool_calls": [{"index": 5, "function": {"arguments": "{"}}, {"id": "x"}, 7]}
    )
    + DONE,
    "nothing": b"",
    "one byte": b"\n",
    "binary": bytes(range(256)) * 20,
}  # fmt: skip


def streams() -> dict[str, bytes]:
    """The bodies above, and those of the folder that the environment names."""
    folder = os.environ.get("REPLAYPROXY_STREAMS")
    added = {path.stem: path.read_bytes() for path in Path(folder).glob("*.sse")} if folder else {}
    return {**BODIES, **added}


def _head(*lines: str) -> bytes:
    return "\r\n".join(
        ["HTTP/1.1 200 OK", "Content-Type: text/event-stream", *lines, "", ""]
    ).encode()


def _chunked(pieces: Sequence[bytes], *lines: str) -> Script:
    head = _head("Transfer-Encoding: chunked", *lines)
    return [Send(head), *(Send(chunk(piece)) for piece in pieces if piece), Send(b"0\r\n\r\n")]


def as_events(body: bytes) -> Script:
    """A chunk for each event."""
    return _chunked([piece + b"\n\n" for piece in body.split(b"\n\n")] if body else [])


def torn(body: bytes) -> Script:
    """Chunks that end anywhere: in a character, between CR and LF."""
    borders = sorted(random.Random(len(body)).choices(range(len(body) + 1), k=7))
    return _chunked([body[a:b] for a, b in zip([0, *borders], [*borders, len(body)], strict=True)])


def with_length(body: bytes) -> Script:
    """A length, and two writes."""
    half = len(body) // 2
    return [Send(_head(f"Content-Length: {len(body)}") + body[:half]), Send(body[half:])]


def until_close(body: bytes) -> Script:
    """Neither length nor chunks: the end of the connection is the end."""
    return [Send(_head("Connection: close")), Send(body), Close()]


def compressed(body: bytes) -> Script:
    """gzip, torn into chunks."""
    data = gzip.compress(body, mtime=0)
    return _chunked([data[i : i + 50] for i in range(0, len(data), 50)], "Content-Encoding: gzip")


FRAMINGS: dict[str, Callable[[bytes], Script]] = {
    "as events": as_events,
    "torn": torn,
    "with a length": with_length,
    "until close": until_close,
    "compressed": compressed,
}
