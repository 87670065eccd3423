"""A client that sees what is on the wire: HTTP chunks, their times, how it ended."""

import json
import socket
import ssl
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

PATIENCE_S = 30.0


@dataclass(slots=True, kw_only=True)
class Answer:
    """An answer, chunk by chunk (for bodies without chunks: read by read).

    Attributes:
        times_s: when each chunk was there, in seconds since the request was sent.
        whole: whether it ended as its framing says.
    """

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    chunks: list[bytes] = field(default_factory=list)
    times_s: list[float] = field(default_factory=list)
    whole: bool = False

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def post(
    url: str,
    body: Any,
    *,
    headers: dict[str, str] | None = None,
    stop_after: bytes | None = None,
    tunnel: str | None = None,
    authority: Path | None = None,
    method: str = "POST",
) -> Answer:
    """POST JSON (or bytes) and read the answer; hang up once `stop_after` was seen.

    `tunnel` is a proxy's URL: the request goes through CONNECT; with TLS inside for
    an https URL, whose certificate `authority` vouches for.
    """
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    target = urlsplit(url)
    assert target.hostname is not None
    through = urlsplit(tunnel or url)
    with ExitStack() as stack:
        address = (through.hostname, through.port)
        connection = stack.enter_context(socket.create_connection(address, PATIENCE_S))
        if tunnel:
            connect(connection, f"{target.hostname}:{target.port or 443}")
        if target.scheme == "https":
            context = ssl.create_default_context(cafile=authority)
            connection = stack.enter_context(
                context.wrap_socket(connection, server_hostname=target.hostname)
            )
        lines = [
            f"{method} {target.path}{'?' if target.query else ''}{target.query} HTTP/1.1",
            f"Host: {target.netloc}",
            "Content-Type: application/json",
            f"Content-Length: {len(data)}",
            *(f"{name}: {value}" for name, value in (headers or {}).items()),
        ]
        start = time.perf_counter()
        connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + data)
        return _read(connection, start, stop_after)


def connect(connection: socket.socket, authority: str) -> None:
    """Ask a proxy for a tunnel."""
    connection.sendall(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        data = connection.recv(4096)
        assert data, "hung up on"
        answer += data
    assert answer.startswith(b"HTTP/1.1 200"), answer


def _read(connection: socket.socket, start: float, stop_after: bytes | None) -> Answer:
    answer = Answer()
    buffer = b""
    in_head = True
    while not answer.whole:
        try:
            data = connection.recv(65536)
        except ConnectionError:
            return answer
        now = time.perf_counter() - start
        if not data:
            answer.whole = not in_head and _until_close(answer)
            return answer
        buffer += data
        if in_head:
            if b"\r\n\r\n" not in buffer:
                continue
            head, _, buffer = buffer.partition(b"\r\n\r\n")
            _parse_head(answer, head)
            in_head = False
        buffer = _take(answer, buffer, now)
        if stop_after is not None and stop_after in answer.body:
            return answer
    return answer


def _parse_head(answer: Answer, head: bytes) -> None:
    first, *lines = head.decode("latin-1").split("\r\n")
    answer.status = int(first.split(" ")[1])
    answer.headers = {
        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }


def _until_close(answer: Answer) -> bool:
    return "content-length" not in answer.headers and "transfer-encoding" not in answer.headers


def _take(answer: Answer, buffer: bytes, now: float) -> bytes:
    """Move what is whole from the buffer to the answer; returns the rest."""
    if answer.status in {204, 304}:
        answer.whole = True
        return buffer
    if "chunked" not in answer.headers.get("transfer-encoding", ""):
        if buffer:
            answer.chunks.append(buffer)
            answer.times_s.append(now)
        answer.whole = len(answer.body) == int(answer.headers.get("content-length", "-1"))
        return b""
    while b"\r\n" in buffer:
        size, _, rest = buffer.partition(b"\r\n")
        length = int(size, 16)
        if len(rest) < length + 2:
            break
        if length == 0:
            answer.whole = True
            return b""
        answer.chunks.append(rest[:length])
        answer.times_s.append(now)
        buffer = rest[length + 2 :]
    return buffer
