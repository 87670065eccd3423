"""A small HTTP/1.1 client: one request, one connection, the answer as it came.

h11 speaks the protocol, as it does for the origin server; the base install has
no other client that leaves an answer's bytes, its redirects and its ending alone.
"""

import asyncio
import ssl
import time
from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import h11

from replayproxy.content_coding import Decoder
from replayproxy.errors import UnansweredError
from replayproxy.model import Chunk, Ending, Exchange, Headers, Outcome, Request, ResponseHead
from replayproxy.recording import Recording

MAX_BYTES = 100 * 1024 * 1024
_MAX_HEAD_BYTES = 1024 * 1024
_READ_BYTES = 65536

type Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What came back: held in memory, stored nowhere."""

    exchange: Exchange
    chunks: tuple[Chunk, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """Sends requests to where they say.

    Attributes:
        context: whom to trust.
        timeout_s: for each whole answer, the connection included.
    """

    context: ssl.SSLContext
    timeout_s: float

    async def send(self, request: Request) -> Answered:
        """Send it as it is and read the whole answer.

        Raises:
            UnansweredError: there is none, or not all of it.
        """
        try:
            async with asyncio.timeout(self.timeout_s):
                reader, writer = await self._connect(request)
                try:
                    return await _ask(request, reader, writer)
                finally:
                    writer.transport.abort()
        except TimeoutError as error:
            raise UnansweredError(f"no whole answer within {self.timeout_s:g} s") from error
        except (OSError, EOFError, asyncio.LimitOverrunError, h11.ProtocolError) as error:
            raise UnansweredError(_told(error)) from error

    async def _connect(self, request: Request) -> Streams:
        """Directly, or through the proxy that the environment names for https."""
        tls = self.context if request.scheme == "https" else None
        proxy = getproxies().get("https") if tls else None
        if not proxy or proxy_bypass(request.host):
            return await asyncio.open_connection(request.host, request.port, ssl=tls)
        url = urlsplit(proxy if "//" in proxy else f"//{proxy}")
        reader, writer = await asyncio.open_connection(url.hostname, url.port or 8080)
        authority = f"{request.host}:{request.port}"
        head = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority}"]
        if url.username:
            user = f"{unquote(url.username)}:{unquote(url.password or '')}"
            head.append(f"Proxy-Authorization: Basic {b64encode(user.encode()).decode()}")
        writer.write("\r\n".join([*head, "", ""]).encode())
        answer = await reader.readuntil(b"\r\n\r\n")
        if answer.split(b" ")[1:2] != [b"200"]:
            status = answer.partition(b"\r\n")[0].decode("latin-1")
            raise ConnectionError(f"the proxy {url.hostname} refuses: {status}")
        await writer.start_tls(self.context, server_hostname=request.host)
        return reader, writer


async def _ask(
    request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> Answered:
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MAX_HEAD_BYTES)
    head = h11.Request(method=request.method, target=request.target, headers=_raw(request.headers))
    for part in (head, h11.Data(data=request.body), h11.EndOfMessage()):
        writer.write(connection.send(part) or b"")
    start_ns = time.monotonic_ns()
    recording = Recording(
        request=request, started_at=datetime.now(UTC), cassette="", decoder=Decoder
    )
    chunks: list[Chunk] = []
    size = 0
    while not isinstance(event := connection.next_event(), h11.EndOfMessage):
        now_ns = time.monotonic_ns() - start_ns
        match event:
            case h11.NEED_DATA:
                connection.receive_data(await reader.read(_READ_BYTES))
            case h11.Response():
                recording.head(_head(event, now_ns))
            case h11.Data():
                chunks.append(Chunk(offset_ns=now_ns, data=bytes(event.data)))
                recording.chunks(chunks[-1:])
                if (size := size + len(event.data)) > MAX_BYTES:
                    raise UnansweredError(f"the answer is larger than {MAX_BYTES:,} bytes")
            case h11.ConnectionClosed():
                raise EOFError
            case _:
                pass
    recording.finish(Ending.FINISHED, time.monotonic_ns() - start_ns)
    exchange = recording.exchange()
    if exchange.outcome is not Outcome.COMPLETED:
        raise UnansweredError(f"it broke off: {exchange.error}")
    return Answered(exchange=exchange, chunks=tuple(chunks))


def _head(response: h11.Response, offset_ns: int) -> ResponseHead:
    return ResponseHead(
        offset_ns=offset_ns,
        status=response.status_code,
        reason=response.reason.decode("latin-1"),
        headers=tuple((n.decode("latin-1"), v.decode("latin-1")) for n, v in response.headers),
    )


def _raw(headers: Headers) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]


def _told(error: Exception) -> str:
    match error:
        case ssl.SSLCertVerificationError():
            trust = "If you trust it, name its authority: --upstream-ca FILE"
            return f"{error.verify_message}. {trust}"
        case h11.RemoteProtocolError():
            return f"it broke off, or is no HTTP: {error}"
        case EOFError():
            return "the connection was closed without an answer"
        case OSError() if error.strerror:
            return error.strerror
        case _:
            return str(error) or type(error).__name__
