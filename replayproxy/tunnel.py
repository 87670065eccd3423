"""Two connections, joined: what one side sends, the other gets, with back-pressure."""

import asyncio


class _Pipe(asyncio.Protocol):
    """Forwards everything its own side sends to the other side."""

    def __init__(self, other: asyncio.Transport) -> None:
        self._other = other

    def data_received(self, data: bytes) -> None:
        self._other.write(data)

    def pause_writing(self) -> None:
        self._other.pause_reading()

    def resume_writing(self) -> None:
        if not self._other.is_closing():
            self._other.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        self._other.close()


async def join(client: asyncio.Transport, received: bytes, *, port: int) -> asyncio.Transport:
    """Hand a client to a server on a loopback port, beginning with the bytes it sent already.

    Raises:
        OSError: nothing listens there.
    """
    client.pause_reading()
    server, _ = await asyncio.get_running_loop().create_connection(
        lambda: _Pipe(client), "127.0.0.1", port
    )
    server.write(received)
    client.set_protocol(_Pipe(server))
    if not client.is_closing():
        client.resume_reading()
    return server
