"""TLS in front of a plain upstream, on a thread."""

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(slots=True, kw_only=True)
class Front:
    """Hands what is inside TLS to a plain server.

    Attributes:
        backend: that server's port, on 127.0.0.1.
        port: where it listens.
        connections: how many came.
    """

    backend: int = 0
    port: int = 0
    connections: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client."""
        self.connections += 1
        there, back = await asyncio.open_connection("127.0.0.1", self.backend)
        await asyncio.gather(_pipe(reader, back), _pipe(there, writer))


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
    writer.close()


@contextmanager
def tls_front(port: int, certificate: Path) -> Iterator[str]:
    """An https origin on 127.0.0.1 that hands everything to this port."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    with fronting(context, backend=port) as front:
        yield f"https://127.0.0.1:{front.port}"


@contextmanager
def fronting(
    context: ssl.SSLContext, *, backend: int = 0, port: int = 0, host: str = "127.0.0.1"
) -> Iterator[Front]:
    """The same, with what it is made of."""
    loop, front = asyncio.new_event_loop(), Front(backend=backend)
    server = loop.run_until_complete(asyncio.start_server(front.serve, host, port, ssl=context))
    front.port = server.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield front
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        if tasks:
            loop.run_until_complete(asyncio.wait(tasks))
        loop.close()
