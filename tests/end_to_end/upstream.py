"""An upstream under full control: what it writes, when, and how it ends.

Raw sockets on a thread; nothing of the package is used here, so that what is
tested is not tested with itself.
"""

import asyncio
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self


@dataclass(frozen=True, slots=True)
class Send:
    """Wait so many seconds, then write these bytes at once."""

    data: bytes
    after_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait until the test sets an event."""

    event: threading.Event


@dataclass(frozen=True, slots=True)
class Reset:
    """End the connection with a TCP reset."""


@dataclass(frozen=True, slots=True)
class Close:
    """End the connection in order."""


type Step = Send | Wait | Reset | Close
type Script = Sequence[Step]


@dataclass(slots=True, kw_only=True)
class Received:
    """A request as it came."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Upstream:
    """Answers every request with a script; counts what reaches it.

    Attributes:
        certificate: PEM, with its key: it speaks TLS.
        requests: all that came, in order.
        connections: how many were opened.
        client_left: set once a client has closed its connection.
    """

    script: Callable[[Received], Script]
    certificate: Path | None = None
    requests: list[Received] = field(default_factory=list)
    connections: int = 0
    client_left: threading.Event = field(default_factory=threading.Event)
    port: int = 0
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _thread: threading.Thread | None = None

    @property
    def origin(self) -> str:
        return f"http{'s' if self.certificate else ''}://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        ready = threading.Event()
        tls = None
        if self.certificate:
            tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            tls.load_cert_chain(self.certificate)

        def serve() -> None:
            asyncio.set_event_loop(self._loop)
            server = self._loop.run_until_complete(
                asyncio.start_server(self._connected, "127.0.0.1", 0, ssl=tls)
            )
            self.port = server.sockets[0].getsockname()[1]
            ready.set()
            self._loop.run_forever()
            server.close()
            tasks = asyncio.all_tasks(self._loop)
            for task in tasks:
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            self._loop.close()

        self._thread = threading.Thread(target=serve, daemon=True)
        self._thread.start()
        ready.wait()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Go away: nothing listens any more."""
        if self._thread and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            while (request := await _read_request(reader)) is not None:
                self.requests.append(request)
                if not await self._answered(self.script(request), reader, writer):
                    return
        except (ConnectionError, asyncio.IncompleteReadError):
            self.client_left.set()
        finally:
            writer.close()

    async def _answered(
        self, script: Script, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Play the script, and see whether the client stays; False if the connection ended."""
        answering = asyncio.ensure_future(_play(script, writer))
        leaving = asyncio.ensure_future(reader.read(1))
        await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if leaving.done():
            self.client_left.set()
        (answered,) = await asyncio.gather(answering, return_exceptions=True)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        return answered is True


async def _read_request(reader: asyncio.StreamReader) -> Received | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").rstrip().split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = {
        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Received(method=method, target=target, headers=headers, body=body)


async def _play(script: Script, writer: asyncio.StreamWriter) -> bool:
    """Play it; False if the connection has ended with it."""
    loop = asyncio.get_running_loop()
    deadline = loop.time()
    for step in script:
        match step:
            case Send():
                deadline += step.after_s
                await asyncio.sleep(max(0.0, deadline - loop.time()))
                writer.write(step.data)
                await writer.drain()
            case Wait():
                await loop.run_in_executor(None, step.event.wait)
                deadline = loop.time()
            case Reset():
                linger = struct.pack("ii", 1, 0)
                writer.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, linger
                )
                writer.transport.abort()
                return False
            case Close():
                writer.close()
                return False
    return True


STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
    b"X-Request-Id: req-1\r\nTransfer-Encoding: chunked\r\n\r\n"
)
LAST_CHUNK = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    """One HTTP chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def streamed(chunks: Sequence[bytes], *, gap_s: float = 0.0) -> list[Step]:
    """A whole streamed answer: each chunk in a write of its own."""
    return [
        Send(STREAM_HEAD),
        *(Send(chunk(data), after_s=gap_s) for data in chunks),
        Send(LAST_CHUNK),
    ]


def plain(
    body: bytes, *, status: str = "200 OK", content_type: str = "application/json", more: str = ""
) -> list[Step]:
    """A whole answer with a length."""
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\n{more}"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return [Send(head.encode() + body)]
