"""A connection that is handed through untouched: the far side of a tunnel."""

import asyncio
from typing import cast


class Tunnel(asyncio.Protocol):
    """Writes what comes from afar to a client; what the client says is given to `send`."""

    def __init__(self, client: asyncio.Transport) -> None:
        self._client = client

    @classmethod
    async def to(cls, host: str, port: int, client: asyncio.Transport) -> "Tunnel":
        """Connect. Raises OSError."""
        loop = asyncio.get_running_loop()
        _, tunnel = await loop.create_connection(lambda: cls(client), host, port)
        return tunnel

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The far side is there."""
        self._far = cast(asyncio.Transport, transport)

    def send(self, data: bytes) -> None:
        """To the far side."""
        self._far.write(data)

    def end(self) -> None:
        """The client will say no more."""
        if self._far.can_write_eof() and not self._far.is_closing():
            self._far.write_eof()

    def hold(self, held: bool) -> None:
        """Whether the client needs time to take what came."""
        if not self._far.is_closing():
            (self._far.pause_reading if held else self._far.resume_reading)()

    def close(self) -> None:
        """The client is gone."""
        self._far.abort()

    def data_received(self, data: bytes) -> None:
        """The far side says something."""
        self._client.write(data)

    def eof_received(self) -> bool:
        """The far side will say no more; it may still listen."""
        if self._client.can_write_eof() and not self._client.is_closing():
            self._client.write_eof()
        return True

    def pause_writing(self) -> None:
        """The far side needs time to take what came."""
        if not self._client.is_closing():
            self._client.pause_reading()

    def resume_writing(self) -> None:
        """It can take more."""
        if not self._client.is_closing():
            self._client.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        """The far side is gone."""
        if error:
            self._client.abort()
        else:
            self._client.close()
