"""Requests that the user wants answered live: misses, and what is no part of the replay.

Rule: nothing comes here unless an option says so. Misses (`--on-miss`) go through a proxy
of ours, mitmproxy on a loopback port, with the recorder in it or without; what was named
by `--passthrough` goes straight to its server.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import closing

import h11

from replayproxy.address import bracketed
from replayproxy.model import Headers, Request, without
from replayproxy.serving.http1 import MAX_HEAD_BYTES
from replayproxy.serving.passthrough import Passthrough
from replayproxy.serving.player import PassedOn
from replayproxy.serving.reply import MARK, Live

_AT_ONCE = 64 * 1024
_END_OF_HEAD = b"\r\n\r\n"
_NOT_SENT = frozenset(
    {"connection", "expect", "keep-alive", "proxy-authorization", "proxy-connection", "te",
     "transfer-encoding", "upgrade"}
)  # fmt: skip


class Forwarder:
    """A `player.Forward`.

    Args:
        proxy_port: of the proxy on the loopback that is asked.
    """

    def __init__(self, *, proxy_port: int, passed_on: PassedOn) -> None:
        self.passed_on = passed_on
        self._proxy_port = proxy_port

    async def send(self, request: Request, *, keep_alive: bool) -> Live:
        """Ask the proxy.

        Raises:
            OSError: it does not answer the door; by the pieces, if the answer breaks off.
        """
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self._proxy_port, limit=MAX_HEAD_BYTES
        )
        url = f"{request.scheme}://{_authority(request)}{request.target}"
        writer.write(_asked(request, url))
        answer = _Answer(request.method)
        return Live(
            pieces=_passed_on(reader, writer, answer, mark=f"{MARK}: {self.passed_on}\r\n"),
            keep_alive=lambda: keep_alive and answer.is_reusable,
        )


class Outside:
    """A `player.Exits`: servers that were named."""

    def __init__(self, passthrough: Passthrough) -> None:
        self.lets = passthrough.lets

    async def send(self, request: Request, *, keep_alive: bool) -> Live:
        """Ask the server.

        Raises:
            OSError: it does not answer the door; by the pieces, if the answer breaks off.
        """
        reader, writer = await asyncio.open_connection(
            request.host, request.port, limit=MAX_HEAD_BYTES
        )
        writer.write(_asked(request, request.target))
        answer = _Answer(request.method)
        return Live(
            pieces=_passed_on(reader, writer, answer),
            keep_alive=lambda: keep_alive and answer.is_reusable,
        )


class _Answer:
    """Follows an answer's framing, to tell where it ends; its bytes pass beside it."""

    def __init__(self, method: str) -> None:
        self._parser = h11.Connection(h11.CLIENT)
        self._parser.send(h11.Request(method=method, target="/", headers=[("host", "any")]))
        self._parser.send(h11.EndOfMessage())

    def receive(self, data: bytes) -> None:
        """Bytes have come; none: no more will."""
        try:
            self._parser.receive_data(data)
            while not self.has_ended and self._parser.next_event() is not h11.NEED_DATA:
                pass
        except h11.RemoteProtocolError as error:
            raise ConnectionError(f"the upstream's answer is not whole: {error}") from error

    @property
    def has_ended(self) -> bool:
        return self._parser.their_state not in {h11.SEND_RESPONSE, h11.SEND_BODY}

    @property
    def is_reusable(self) -> bool:
        return self._parser.their_state is h11.DONE


async def _passed_on(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: _Answer, *, mark: str = ""
) -> AsyncIterator[bytes]:
    """The answer's bytes as they come, with a mark of ours in its head."""
    with closing(writer):
        head = await _head(reader)
        answer.receive(head)
        yield head.removesuffix(b"\r\n") + mark.encode() + b"\r\n"
        while not answer.has_ended:
            data = await reader.read(_AT_ONCE)
            answer.receive(data)
            if data:
                yield data


async def _head(reader: asyncio.StreamReader) -> bytes:
    """Of the answer itself: interim ones were for our ears only."""
    try:
        while (head := await reader.readuntil(_END_OF_HEAD)).startswith(b"HTTP/1.1 1"):
            pass
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        raise ConnectionError(f"the upstream gave no answer: {error}") from error
    return head


def _authority(request: Request) -> str:
    default = {"http": 80, "https": 443}.get(request.scheme)
    authority = bracketed(request.host)
    return authority if request.port == default else f"{authority}:{request.port}"


def _asked(request: Request, target: str) -> bytes:
    """The request, with no word about the client's connection."""
    kept: Headers = tuple(
        (name, value)
        for name, value in without(request.headers, {*_NOT_SENT, "host", "content-length"})
        if not name.lower().startswith(f"{MARK}-")
    )
    if request.body or request.method in {"POST", "PUT", "PATCH"}:
        kept += (("Content-Length", str(len(request.body))),)
    lines = [
        f"{request.method} {target} HTTP/1.1",
        f"Host: {_authority(request)}",
        *(f"{name}: {value}" for name, value in kept),
    ]
    return "\r\n".join(lines).encode("latin-1") + _END_OF_HEAD + request.body
