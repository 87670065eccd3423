"""A small HTTP/1.1 origin server: reads requests, writes each reply at its own times.

What is written comes ready-made from `Reply`, so that the bytes of each write are
exactly the recorded ones. Requests of one connection are answered one after the
other. A client that takes it for a proxy (CONNECT, SOCKS5), or whose traffic was
redirected here, is answered all the same: nothing is connected to anything, its TLS is
opened here. Only tunnels to the hosts that were named (`exits`) are handed through.
The first byte of a connection tells what it is.
"""

import asyncio
import logging
import socket
import ssl
import struct
import time
from collections.abc import Coroutine
from contextlib import suppress
from typing import Protocol as Interface
from typing import cast

from replayproxy.address import bracketed, is_loopback
from replayproxy.errors import ListenError
from replayproxy.model import Request, header
from replayproxy.serving import socks5, tls
from replayproxy.serving.http1 import NotARequest, RequestReader
from replayproxy.serving.reply import Live, Reply
from replayproxy.serving.timer import Timer
from replayproxy.serving.tunnel import Tunnel

logger = logging.getLogger(__name__)

_TUNNEL_OPEN = b"HTTP/1.1 200 Connection established\r\n\r\n"
_NO_TUNNEL = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: on, for no time

READ_AT_HEADER = "x-replayproxy-read-at-ns"
"""Set by an interceptor of ours: when it had read the request, monotonic clock."""


class Handler(Interface):
    """Decides what is answered. Must not raise."""

    async def reply(self, request: Request, *, keep_alive: bool, by_proxy: bool) -> Reply | Live:
        """The answer to a request; `by_proxy`: its host is the one that is meant, not ours."""

    def refuse(self, reason: str) -> Reply:
        """The answer to something that is not a request."""


class Certificates(Interface):
    """What TLS inside a tunnel is opened with (see certificates.Authority)."""

    def context(self, host: str) -> ssl.SSLContext:
        """For a server that says it is this host."""


class Exits(Interface):
    """Which tunnels really lead somewhere (see passthrough.Passthrough)."""

    def lets(self, host: str, port: int) -> bool:
        """Whether one to this server does."""


class Origin:
    """Listens, and serves one handler. `start()`, then `close()`.

    Args:
        certificates: for clients that ask for a tunnel, or begin with TLS; without,
            they are answered like others, by the handler.
        exits: tunnels that are handed through untouched; without there are none.
        transparent: clients don't know of us: the host that they name is the one
            that is meant.
    """

    def __init__(
        self,
        handler: Handler,
        *,
        certificates: Certificates | None = None,
        exits: Exits | None = None,
        transparent: bool = False,
    ) -> None:
        self.handler = handler
        self.certificates = certificates
        self.transparent = transparent
        self._exits = exits
        self._port = 0
        self.connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None
        self._said_distrusted = False

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port (of interest when 0 was asked for).

        Raises:
            ListenError: the address cannot be bound.
        """
        loop = asyncio.get_running_loop()
        self.timer = Timer()
        try:
            self._server = await loop.create_server(lambda: _Connection(self), host, port)
        except OSError as error:
            self.timer.close()
            reason = error.strerror or str(error)
            raise ListenError(host=host, port=port, reason=reason) from error
        self._port = int(self._server.sockets[0].getsockname()[1])
        return self._port

    def lets_out(self, host: str, port: int) -> bool:
        """Whether this tunnel is handed through; one to ourselves never is."""
        if self._exits is None or (is_loopback(host) and port == self._port):
            return False
        return self._exits.lets(host, port)

    async def close(self, *, grace_s: float = 0.0) -> None:
        """Stop accepting, let running replies end for up to `grace_s`, then hang up."""
        if self._server is None:
            return
        self._server.close()
        playing = [c.playing for c in self.connections if c.playing]
        if playing and grace_s > 0:
            await asyncio.wait(playing, timeout=grace_s)
        for connection in list(self.connections):
            connection.hang_up()
        self.timer.close()

    def say_distrusted(self, reason: str) -> None:
        """A client broke off before TLS was there: said once, it will try again."""
        if not self._said_distrusted:
            self._said_distrusted = True
            logger.warning(
                "replayproxy: a client broke off TLS (%s). Does it trust our certificate "
                "authority? See the line that names SSL_CERT_FILE.",
                reason,
            )


class _Connection(asyncio.Protocol):
    """One client."""

    def __init__(self, origin: Origin) -> None:
        self.playing: asyncio.Task[None] | None = None
        self._origin = origin
        self._loop = asyncio.get_running_loop()
        self._reader = RequestReader()
        self._is_new = True
        """The first byte has not come yet that tells what this is, or what a tunnel holds."""
        self._tunnel_to: tuple[str, int] | None = None
        self._socks: socks5.Handshake | None = None
        self._tls: tls.Tls | None = None
        self._outward: Tunnel | None = None
        """Handed through: nothing of it is ours."""
        self._writable = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._origin.connections.add(self)
        self._writable.set()

    def connection_lost(self, error: Exception | None) -> None:
        self._origin.connections.discard(self)
        if self._tls and not self._tls.is_open:
            self._origin.say_distrusted(str(error or "hung up"))
        if self._outward:
            self._outward.close()
        if self.playing:
            self.playing.cancel()

    def eof_received(self) -> bool:
        """A client that is done sending may still wait for its answer."""
        if self._outward:
            self._outward.end()
            return True
        return self.playing is not None

    def pause_writing(self) -> None:
        self._writable.clear()
        if self._outward:
            self._outward.hold(True)

    def resume_writing(self) -> None:
        self._writable.set()
        if self._outward:
            self._outward.hold(False)

    def hang_up(self) -> None:
        """Close now; a client whose reply is not whole sees a reset, not an orderly end."""
        if self.playing and (connection := self._transport.get_extra_info("socket")):
            with suppress(OSError):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        came_at_s = time.monotonic()  # not the loop's time: uvloop's is coarse
        try:
            self._receive(data, came_at_s)
        except Exception:  # fails closed: nobody shall wait for an answer that never comes
            logger.exception("replayproxy: a request could not be taken")
            self.hang_up()

    def _receive(self, data: bytes, came_at_s: float) -> None:
        if self._outward:
            self._outward.send(data)
            return
        if self._is_new:
            self._begin(data[0])
        if self._socks:
            self._shake_hands(data, self._socks)
            return
        if self._tls:
            data = self._decrypted(data, self._tls)
        if data:
            self._reader.receive(data)
        if self.playing is None and not self._transport.is_closing():
            self._read(came_at_s)

    def _read(self, came_at_s: float) -> None:
        """Read on until a request is whole, then answer it: its time begins with its last byte."""
        try:
            request = self._reader.read()
        except NotARequest as error:
            refusal = self._origin.handler.refuse(str(error))
            self._start(self._play(refusal, came_at_s))
            return
        if interim := self._reader.interim():
            self._write(interim)
        if request is None:
            return
        if request.method == "CONNECT" and self._origin.lets_out(request.host, request.port):
            rest = self._reader.rest()
            self._start(self._hand_through(request.host, request.port, rest, _TUNNEL_OPEN))
            return
        if request.method == "CONNECT" and self._origin.certificates:
            self._write(_TUNNEL_OPEN)
            self._enter_tunnel((request.host, request.port), early=self._reader.rest())
            return
        with suppress(ValueError, OverflowError):
            # an interceptor before us read the request earlier than we did
            came_at_s = min(came_at_s, int(header(request.headers, READ_AT_HEADER) or "") / 1e9)
        # tasks start in the order in which they are made: so do requests get their turn
        self._start(self._respond(request, came_at_s))

    def _start(self, answering: Coroutine[None, None, None]) -> None:
        self.playing = self._loop.create_task(self._guarded(answering))

    async def _guarded(self, answering: Coroutine[None, None, None]) -> None:
        try:
            await answering
        except Exception:  # fails closed: half an answer must not pass for a whole one
            logger.exception("replayproxy: an answer could not be written to its end")
            self.hang_up()

    async def _respond(self, request: Request, came_at_s: float) -> None:
        reader = self._reader
        answer = await self._origin.handler.reply(
            request, keep_alive=reader.keep_alive, by_proxy=reader.names_its_host
        )
        if isinstance(answer, Live):
            await self._pass_on(answer)
        else:
            await self._play(answer, came_at_s)

    async def _play(self, reply: Reply, start_s: float) -> None:
        """Write each part at its deadline: absolute ones, so that delays don't add up."""
        late_s = 0.0
        try:
            for write in reply.writes:
                await self._origin.timer.until(start_s + write.at_s)
                if write.parts:
                    late_s = max(late_s, time.monotonic() - start_s - write.at_s)
                    self._write(b"".join(write.parts))
                    await self._writable.wait()
        finally:
            reply.on_end(late_s, time.monotonic() - start_s)
        self._go_on(keep_alive=reply.keep_alive)

    async def _pass_on(self, answer: Live) -> None:
        """Write what comes, as it comes."""
        try:
            async for piece in answer.pieces:
                self._write(piece)
                await self._writable.wait()
        except OSError as error:
            logger.warning("replayproxy: an answer that was passed on broke off: %s", error)
            self.hang_up()
            return
        self._go_on(keep_alive=answer.keep_alive())

    def _go_on(self, *, keep_alive: bool) -> None:
        """The next request, if there shall be one."""
        self.playing = None
        if keep_alive:
            self._read(time.monotonic())
            return
        if self._tls:
            self._transport.write(self._tls.farewell())
        self._transport.close()

    def _write(self, data: bytes) -> None:
        self._transport.write(self._tls.seal(data) if self._tls else data)

    def _shake_hands(self, data: bytes, socks: socks5.Handshake) -> None:
        self._write(socks.receive(data))
        if socks.refused:
            self._transport.close()
        elif socks.target:
            self._socks = None
            if self._origin.lets_out(*socks.target):
                self._start(self._hand_through(*socks.target, socks.rest()))
            else:
                self._enter_tunnel(socks.target, early=socks.rest())

    def _enter_tunnel(self, to: tuple[str, int], *, early: bytes) -> None:
        """What comes next is for another host: we answer for it, whatever it is."""
        self._tunnel_to, self._is_new = to, True
        if early:
            self.data_received(early)

    async def _hand_through(self, host: str, port: int, early: bytes, opened: bytes = b"") -> None:
        """What comes next is for another host, and goes there."""
        self._transport.pause_reading()
        try:
            outward = await Tunnel.to(host, port, self._transport)
        except OSError as error:
            logger.warning("replayproxy: %s cannot be reached: %s", host, error)
            if opened:
                self._transport.write(_NO_TUNNEL)
            self._transport.close()
            return
        self._write(opened)
        self._outward, self.playing = outward, None
        if early:
            outward.send(early)
        self._transport.resume_reading()

    def _begin(self, first_byte: int) -> None:
        """It tells what comes, here or inside a tunnel."""
        self._is_new = False
        to, certificates = self._tunnel_to, self._origin.certificates
        if first_byte == socks5.FIRST_BYTE and not to:
            self._socks = socks5.Handshake()
            return
        is_tls = first_byte == tls.FIRST_BYTE and certificates is not None
        if is_tls:
            assert certificates is not None
            # a client that names no host has asked for an address: ours
            host = to[0] if to else self._transport.get_extra_info("sockname")[0]
            self._tls = tls.Tls(certificates.context(host))
        authority = f"{bracketed(to[0])}:{to[1]}" if to else None
        if authority is None and self._origin.transparent:
            authority = ""  # it is in the request
        self._reader = RequestReader(scheme="https" if is_tls else "http", authority=authority)

    def _decrypted(self, data: bytes, secured: tls.Tls) -> bytes:
        """What the client says inside TLS; if it does not like ours, that is the end."""
        try:
            plain = secured.receive(data)
        except ssl.SSLError as error:
            self._origin.say_distrusted(error.reason or str(error))
            self._transport.write(secured.to_send())
            self._transport.close()
            return b""
        self._transport.write(secured.to_send())
        return plain
