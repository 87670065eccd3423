"""A small HTTP/1.1 origin server: reads requests, writes each reply at its own times.

h11 reads; what is written comes ready-made from `Reply`, so that the bytes of
each write are exactly the recorded ones. Requests of one connection are
answered one after the other.
"""

import asyncio
import logging
import socket
import struct
import time
from contextlib import suppress
from typing import Protocol as Interface
from typing import cast
from urllib.parse import urlsplit

import h11

from replayproxy import tunnel
from replayproxy.errors import ListenError
from replayproxy.model import Headers, Request, header
from replayproxy.reply import Reply

logger = logging.getLogger(__name__)

MAX_HEAD_BYTES = 1024 * 1024
MAX_BODY_BYTES = 256 * 1024 * 1024
_CONNECT = b"CONNECT "
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: on, for no time

READ_AT_HEADER = "x-replayproxy-read-at-ns"
"""Set by an interceptor of ours: when it had read the request, monotonic clock."""


class Handler(Interface):
    """Decides what is answered. Must not raise."""

    async def reply(self, request: Request, *, keep_alive: bool) -> Reply:
        """The answer to a request."""

    def refuse(self, reason: str) -> Reply:
        """The answer to something that is not a request."""

    @property
    def interceptor_port(self) -> int | None:
        """The loopback port that takes `CONNECT` clients; None: they are answered like others."""


class Origin:
    """Listens, and serves one handler. `start()`, then `close()`."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port (of interest when 0 was asked for).

        Raises:
            ListenError: the address cannot be bound.
        """
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(
                lambda: _Connection(self._handler, self._connections), host, port
            )
        except OSError as error:
            reason = error.strerror or str(error)
            raise ListenError(host=host, port=port, reason=reason) from error
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self, *, grace_s: float = 0.0) -> None:
        """Stop accepting, let running replies end for up to `grace_s`, then hang up."""
        if self._server:
            self._server.close()
        playing = [c.playing for c in self._connections if c.playing]
        if playing and grace_s > 0:
            await asyncio.wait(playing, timeout=grace_s)
        for connection in list(self._connections):
            connection.hang_up()


class _Connection(asyncio.Protocol):
    """One client."""

    def __init__(self, handler: Handler, connections: set["_Connection"]) -> None:
        self.playing: asyncio.Task[None] | None = None
        self._handler = handler
        self._connections = connections
        self._loop = asyncio.get_running_loop()
        self._parser = _parser()
        self._request: h11.Request | None = None
        self._body = bytearray()
        self._early = b""  # the first bytes, until it is clear that they are no CONNECT
        self._writable = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._connections.add(self)
        self._writable.set()

    def connection_lost(self, error: Exception | None) -> None:
        self._connections.discard(self)
        if self.playing:
            self.playing.cancel()

    def eof_received(self) -> bool:
        """A client that is done sending may still wait for its answer."""
        return self.playing is not None

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def hang_up(self) -> None:
        """Close now; a client whose reply is not whole sees a reset, not an orderly end."""
        if self.playing and (connection := self._transport.get_extra_info("socket")):
            with suppress(OSError):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        port = self._handler.interceptor_port
        if port is not None and self._is_between_requests():
            data, self._early = self._early + data, b""
            if data.startswith(_CONNECT):
                self._transport.pause_reading()  # what follows is the interceptor's
                self.playing = self._loop.create_task(self._hand_over(data, port))
                return
            if _CONNECT.startswith(data):
                self._early = data
                return
        self._parser.receive_data(data)
        if self.playing is None:
            self._read()

    def _is_between_requests(self) -> bool:
        """Whether the next byte begins a request; in the midst of one, a body may say CONNECT."""
        buffered, _ = self._parser.trailing_data
        return self.playing is None and self._parser.their_state is h11.IDLE and not buffered

    def _read(self) -> None:
        """Read on until a request is whole, then answer it."""
        try:
            while True:
                event = self._parser.next_event()
                if isinstance(event, h11.Request):
                    self._request = event
                    if self._parser.they_are_waiting_for_100_continue:
                        self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                elif isinstance(event, h11.Data):
                    self._body += event.data
                    if len(self._body) > MAX_BODY_BYTES:
                        raise h11.RemoteProtocolError("the body is too large")
                elif isinstance(event, h11.EndOfMessage):
                    self._answer()
                    return
                else:
                    return
        except h11.RemoteProtocolError as error:
            refusal = self._handler.refuse(str(error))
            self.playing = self._loop.create_task(self._play(refusal, time.monotonic()))

    def _answer(self) -> None:
        read_at = time.monotonic()  # not the loop's time: uvloop's is coarse
        assert self._request is not None
        try:
            request = to_request(self._request, bytes(self._body))
        except ValueError as error:
            raise h11.RemoteProtocolError(str(error)) from error
        keep_alive = self._parser.their_state is not h11.MUST_CLOSE
        with suppress(ValueError, OverflowError):
            # an interceptor before us read the request earlier than we did
            read_at = min(read_at, int(header(request.headers, READ_AT_HEADER) or "") / 1e9)
        trailing, _ = self._parser.trailing_data
        self._parser = _parser()
        if trailing:
            self._parser.receive_data(trailing)
        self._body.clear()
        # tasks start in the order in which they are made: so do requests get their turn
        self.playing = self._loop.create_task(self._respond(request, keep_alive, read_at))

    async def _respond(self, request: Request, keep_alive: bool, read_at: float) -> None:
        await self._play(await self._handler.reply(request, keep_alive=keep_alive), read_at)

    async def _play(self, reply: Reply, start: float) -> None:
        """Write each part at its deadline: absolute ones, so that delays don't add up."""
        late_s = 0.0
        try:
            for write in reply.writes:
                await _until(start + write.at_s)
                if write.parts:
                    late_s = max(late_s, time.monotonic() - start - write.at_s)
                    self._transport.write(b"".join(write.parts))
                    await self._writable.wait()
        except Exception:  # fails closed: half an answer must not pass for a whole one
            logger.exception("replayproxy: a reply could not be written to its end")
            self.hang_up()
            return
        finally:
            reply.on_end(late_s)
        self.playing = None
        if reply.keep_alive:
            self._read()
        else:
            self._transport.close()

    async def _hand_over(self, received: bytes, port: int) -> None:
        """The client wants a tunnel: the interceptor takes its connection."""
        with suppress(OSError):
            await tunnel.join(self._transport, received, port=port)
            self._connections.discard(self)
            return
        self._transport.close()


async def _until(deadline: float) -> None:
    """Sleep until then, never less: loops round their timers to the millisecond.

    One turn of the loop even when it is late: what was apart stays apart.
    """
    while True:
        remaining = deadline - time.monotonic()
        await asyncio.sleep(max(0.0, remaining))
        if remaining <= 0:
            return


def _parser() -> h11.Connection:
    return h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD_BYTES)


def to_request(event: h11.Request, body: bytes) -> Request:
    """The request, whether its target is a path or, as proxies are asked, a URL.

    Raises:
        ValueError: the URL or the Host header makes no sense.
    """
    headers: Headers = tuple(
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in event.headers.raw_items()
    )
    target = event.target.decode("latin-1")
    scheme, authority = "http", header(headers, "host") or ""
    if "://" in target.partition("?")[0]:
        url = urlsplit(target)
        scheme, authority = url.scheme, url.netloc.rpartition("@")[2]
        target = target.partition("://")[2].removeprefix(url.netloc) or "/"
    path, _, query = target.partition("?")
    address = urlsplit(f"//{authority}")
    try:
        port = address.port
    except ValueError:
        port = None
    return Request(
        method=event.method.decode("latin-1"),
        scheme=scheme,
        host=address.hostname or "",
        port=port or (443 if scheme == "https" else 80),
        path=path,
        query=query,
        http_version=f"HTTP/{event.http_version.decode('latin-1')}",
        headers=headers,
        body=body,
    )
