"""What asks in the benchmarks: as light as can be, for it is not what is measured."""

import asyncio
import json
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import uvloop

from tests.end_to_end.wire import connect

PATH = "/v1/chat/completions"
HOST = "api.example.invalid"
"""Whom an intercepted client means: nobody, so that only a recording can answer."""

_SENT = re.compile(rb"\n: sent_ns (\d+)\n")
_PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Way:
    """How to a server: as a base URL, or with its CA's file as a proxy that opens our TLS."""

    url: str
    ca: Path | None = None

    def connect(self) -> tuple[socket.socket, ssl.SSLContext | None]:
        """A connection, on which the request is TLS if there is a context."""
        address = urlsplit(self.url)
        connection = socket.create_connection((address.hostname, address.port), _PATIENCE_S)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.ca is None:
            return connection, None
        connect(connection, f"{HOST}:443")
        return connection, ssl.create_default_context(cafile=self.ca)


def request(body: Any) -> bytes:
    """A POST of JSON, or of bytes, as it goes over the wire."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return (
        f"POST {PATH} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer sk-of-the-benchmark\r\nContent-Length: {len(data)}\r\n\r\n"
    ).encode() + data


def short(number: int) -> bytes:
    """A request for one short answer, unlike all others."""
    return request({"model": "gpt-4o", "messages": [{"role": "user", "content": f"n {number}"}]})


def stream(number: int = 0, *, chunks: int = 100, gap_ms: float = 0, stamp: bool = False) -> bytes:
    """A request for a stream (see upstream.py)."""
    wanted = {"n": number, "chunks": chunks, "gap_ms": gap_ms, "stamp": stamp}
    message = {"role": "user", "content": json.dumps(wanted)}
    return request({"model": "gpt-4o", "messages": [message], "stream": True})


# -- one after the other ------------------------------------------------------------------------


@contextmanager
def connected(way: Way) -> Iterator[socket.socket]:
    """A kept connection, for `ask`."""
    connection, context = way.connect()
    if context:
        connection = context.wrap_socket(connection, server_hostname=HOST)
    with connection:
        yield connection


def ask(connection: socket.socket, message: bytes) -> tuple[float, bytes]:
    """Send, read the answer whole; seconds to its first byte, and all that came.

    Raises:
        AssertionError: it is not a 200.
    """
    start = time.perf_counter()
    connection.sendall(message)
    answer = connection.recv(262_144)
    first_s = time.perf_counter() - start
    while not _is_whole(answer):
        more = connection.recv(262_144)
        assert more, answer[:500]
        answer += more
    assert answer.startswith(b"HTTP/1.1 200"), answer[:500]
    return first_s, answer


def _is_whole(answer: bytes) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    if not end:
        return False
    lowered = head.lower()
    at = lowered.find(b"content-length:")
    if at >= 0:
        return len(body) >= int(lowered[at + 15 :].split(b"\r\n", 1)[0])
    return body.endswith(b"0\r\n\r\n")


# -- many at once -------------------------------------------------------------------------------


@dataclass(slots=True)
class Streamed:
    """One stream as a client saw it: when the request was sent, and every read since."""

    start_ns: int = 0
    reads: list[tuple[int, bytes]] = field(default_factory=list)

    def delays_ms(self) -> list[float]:
        """How long each stamped event was under way."""
        return [
            (at_ns - int(sent_ns)) / 1e6
            for at_ns, data in self.reads
            for sent_ns in _SENT.findall(data)
        ]

    def chunk_times_ms(self) -> list[float]:
        """When each HTTP chunk was there, since the request was sent."""
        body, times = bytearray(), []
        in_head = True
        for at_ns, data in self.reads:
            body += data
            if in_head:
                _, end, rest = body.partition(b"\r\n\r\n")
                if not end:
                    continue
                body, in_head = rest, False
            while (end_of_size := body.find(b"\r\n")) > 0:
                size = int(body[:end_of_size], 16)
                if len(body) < end_of_size + size + 4:
                    break
                del body[: end_of_size + size + 4]
                if size:
                    times.append((at_ns - self.start_ns) / 1e6)
        return times


class _Asker(asyncio.Protocol):
    """Asks for one stream after the other on one connection, and notes every read."""

    def __init__(self, messages: Sequence[bytes]) -> None:
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.streamed: list[Streamed] = []
        self._messages = iter(messages)
        self._reads: list[tuple[int, bytes]] = []
        self._transport: Any = None
        self._lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def hang_up(self) -> None:
        """Without waiting for the other side's farewell."""
        self._transport.abort()
        await self._lost

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def next(self) -> None:
        """Ask for the next one; at the end, say so."""
        message = next(self._messages, None)
        if message is None:
            self.ended.set_result(None)
            return
        streamed = Streamed(time.monotonic_ns())
        self.streamed.append(streamed)
        self._reads = streamed.reads
        self._transport.write(message)

    def data_received(self, data: bytes) -> None:
        self._reads.append((time.monotonic_ns(), data))
        if data.endswith(b"0\r\n\r\n"):
            self.next()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost.set_result(None)
        if not self.ended.done():
            came = b"".join(data for _, data in self._reads)
            self.ended.set_exception(AssertionError(f"broke off ({exc}): {came[-300:]!r}"))


def stream_all(
    way: Way,
    connections: Sequence[Sequence[bytes]],
    *,
    over_s: float = 0.0,
    cut: tuple[float, Callable[[], object]] | None = None,
) -> list[Streamed]:
    """Ask for streams on many connections: at once, or begun one by one over some time.

    All are connected before the first one asks. `cut` is what ends them, and after how
    many seconds: then they may break off.

    Raises:
        AssertionError: one broke off.
        TimeoutError: they take a minute longer than they are spread over.
    """

    async def connected_asker(messages: Sequence[bytes], stack: AsyncExitStack) -> _Asker:
        connection, context = way.connect()
        connection.setblocking(False)
        _, asker = await asyncio.get_running_loop().create_connection(
            lambda: _Asker(messages),
            sock=connection,
            ssl=context,
            server_hostname=HOST if context else None,
        )
        stack.push_async_callback(asker.hang_up)
        return asker

    async def every() -> list[Streamed]:
        async with AsyncExitStack() as stack:
            askers = [await connected_asker(messages, stack) for messages in connections]
            loop = asyncio.get_running_loop()
            for number, asker in enumerate(askers):
                loop.call_later(number * over_s / len(askers), asker.next)
            async with asyncio.timeout(over_s + _PATIENCE_S):
                if cut:
                    await asyncio.sleep(cut[0])
                    cut[1]()
                ends = (asker.ended for asker in askers)
                await asyncio.gather(*ends, return_exceptions=cut is not None)
        return [streamed for asker in askers for streamed in asker.streamed]

    return uvloop.run(every())
