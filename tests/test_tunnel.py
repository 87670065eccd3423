"""Two connections, joined."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import cast

from replayproxy import tunnel

type Serves = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class _Handing(asyncio.Protocol):
    """Hands its client over with the first bytes it gets."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.joining: asyncio.Task[asyncio.Transport] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        joining = tunnel.join(self._transport, data, port=self._port)
        self.joining = asyncio.get_running_loop().create_task(joining)


@asynccontextmanager
async def joined(
    serve: Serves,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A client whose connection is handed to a server of this kind."""
    loop = asyncio.get_running_loop()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    front = await loop.create_server(
        lambda: _Handing(server.sockets[0].getsockname()[1]), "127.0.0.1", 0
    )
    port = front.sockets[0].getsockname()[1]
    async with server, front:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        yield reader, writer
        writer.close()


def test_each_side_gets_what_the_other_sends() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(100):
            writer.write(data.upper())
        writer.close()

    async def scenario() -> None:
        async with joined(echo) as (reader, writer):
            for text in (b"first", b"second", b"third"):
                writer.write(text)
                assert await reader.readexactly(len(text)) == text.upper()

    asyncio.run(scenario())


def test_when_the_client_hangs_up_the_server_is_told() -> None:
    async def scenario() -> None:
        told = asyncio.Event()

        async def waits(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            assert await reader.read() == b"hello"
            told.set()
            writer.close()

        async with joined(waits) as (_, writer):
            writer.write(b"hello")
            writer.close()
            async with asyncio.timeout(20):
                await told.wait()

    asyncio.run(scenario())


def test_when_the_server_hangs_up_the_client_is_told() -> None:
    async def leaves(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"bye")
        writer.close()

    async def scenario() -> None:
        async with joined(leaves) as (reader, writer):
            writer.write(b"hello")
            assert await reader.read() == b"bye"

    asyncio.run(scenario())


def test_a_slow_reader_loses_nothing() -> None:
    size = 20_000_000

    async def scenario() -> None:
        async def floods(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readexactly(1)
            for _ in range(20):
                writer.write(b"x" * (size // 20))
                await writer.drain()
            writer.close()

        async with joined(floods) as (reader, writer):
            writer.write(b"!")
            read = 0
            while data := await reader.read(100_000):
                read += len(data)
            assert read == size

    asyncio.run(scenario())
