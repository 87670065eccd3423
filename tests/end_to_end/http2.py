"""HTTP/2 over TLS: an upstream that plays a script on each stream, and a bare client.

Made of the `h2` library and nothing of the package.
"""

import asyncio
import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.exceptions import StreamClosedError

from tests.end_to_end.upstream import Reset, Send, Wait
from tests.end_to_end.wire import connect

PATIENCE_S = 30.0

type Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Trailers:
    """End the stream with these headers."""

    headers: Headers


type Step = Send | Wait | Reset | Trailers


def make_certificates(folder: Path) -> tuple[Path, Path]:
    """An authority, and a certificate for 127.0.0.1 with its key in one file."""
    folder.mkdir(exist_ok=True)
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Tests")])
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)

    def certificate(subject: x509.Name, of: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(authority_name)
            .public_key(of.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
        )

    authority = (
        certificate(authority_name, authority_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    own = (
        certificate(name, key)
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    authority_file, own_file = folder / "authority.pem", folder / "own.pem"
    authority_file.write_bytes(authority.public_bytes(pem))
    own_file.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + own.public_bytes(pem)
    )
    return authority_file, own_file


@dataclass(slots=True)
class Http2Upstream:
    """Answers each request with a script, each of its bytes in a DATA frame of its own.

    Attributes:
        script: is given the request's body; what it gives begins after the headers.
        bodies: of all requests, in order.
        connections: how many were opened.
        reset_by_client: the bodies of requests that the client gave up.
        given_up: set once there is one.
    """

    script: Callable[[bytes], Sequence[Step]]
    certificate: Path
    headers: Headers = (("content-type", "text/event-stream"),)
    bodies: list[bytes] = field(default_factory=list)
    connections: int = 0
    reset_by_client: list[bytes] = field(default_factory=list)
    given_up: threading.Event = field(default_factory=threading.Event)
    port: int = 0
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _thread: threading.Thread | None = None

    @property
    def origin(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        ready = threading.Event()
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.certificate)
        context.set_alpn_protocols(["h2"])

        def serve() -> None:
            server = self._loop.run_until_complete(
                self._loop.create_server(lambda: _Streams(self), "127.0.0.1", 0, ssl=context)
            )
            self.port = server.sockets[0].getsockname()[1]
            ready.set()
            self._loop.run_forever()
            server.close()
            tasks = asyncio.all_tasks(self._loop)
            for task in tasks:
                task.cancel()
            if tasks:
                self._loop.run_until_complete(asyncio.wait(tasks))
            self._loop.close()

        self._thread = threading.Thread(target=serve, daemon=True)
        self._thread.start()
        assert ready.wait(PATIENCE_S)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._thread
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()


class _Streams(asyncio.Protocol):
    """One connection of the upstream."""

    def __init__(self, upstream: Http2Upstream) -> None:
        self._upstream = upstream
        self._h2 = H2Connection(H2Configuration(client_side=False))
        self._bodies: dict[int, bytes] = {}
        self._answers: dict[int, asyncio.Task[None]] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._upstream.connections += 1
        self._transport = transport
        self._h2.initiate_connection()
        self._flush()

    def connection_lost(self, error: Exception | None) -> None:
        for number in list(self._answers):
            self._give_up(number)

    def data_received(self, data: bytes) -> None:
        for event in self._h2.receive_data(data):
            match event:
                case events.RequestReceived(stream_id=int(number)):
                    self._bodies[number] = b""
                case events.DataReceived(stream_id=int(number), data=bytes(piece)):
                    self._bodies[number] += piece
                    self._h2.acknowledge_received_data(event.flow_controlled_length or 0, number)
                case events.StreamEnded(stream_id=int(number)):
                    self._upstream.bodies.append(self._bodies[number])
                    task = self._upstream._loop.create_task(self._answer(number))
                    self._answers[number] = task
                case events.StreamReset(stream_id=int(number)):
                    self._give_up(number)
        self._flush()

    def _give_up(self, number: int) -> None:
        task = self._answers.pop(number, None)
        if task and not task.done():
            task.cancel()
            self._upstream.reset_by_client.append(self._bodies[number])
            self._upstream.given_up.set()

    async def _answer(self, number: int) -> None:
        script = self._upstream.script(self._bodies[number])
        self._h2.send_headers(number, [(":status", "200"), *self._upstream.headers])
        self._flush()
        for step in script:
            match step:
                case Send():
                    await asyncio.sleep(step.after_s)
                    self._h2.send_data(number, step.data)
                case Wait():
                    await asyncio.get_running_loop().run_in_executor(
                        None, step.event.wait, PATIENCE_S
                    )
                case Reset():
                    self._h2.reset_stream(number, ErrorCodes.INTERNAL_ERROR)
                    self._flush()
                    return
                case Trailers():
                    self._h2.send_headers(number, step.headers, end_stream=True)
                    self._flush()
                    return
            self._flush()
        self._h2.end_stream(number)
        self._flush()

    def _flush(self) -> None:
        self._transport.write(self._h2.data_to_send())


@dataclass(slots=True, kw_only=True)
class Stream:
    """What a client got on one stream."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    chunks: list[bytes] = field(default_factory=list)
    trailers: dict[str, str] = field(default_factory=dict)
    ended: bool = False
    reset: bool = False

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)


class Http2Client:
    """One connection; every request at once, then read until all have ended."""

    def __init__(self, url: str, authority: Path, *, proxy: str | None = None) -> None:
        address, through = urlsplit(url), urlsplit(proxy or url)
        context = ssl.create_default_context(cafile=authority)
        context.set_alpn_protocols(["h2"])
        plain = socket.create_connection((through.hostname, through.port), PATIENCE_S)
        if proxy:
            connect(plain, address.netloc)
        self._socket = context.wrap_socket(plain, server_hostname=address.hostname)
        assert self._socket.selected_alpn_protocol() == "h2"
        self._netloc = address.netloc
        self._h2 = H2Connection(H2Configuration(client_side=True))
        self._h2.initiate_connection()
        self.streams: dict[int, Stream] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._socket.close()

    def post(self, path: str, body: bytes) -> int:
        """Send a request; returns the number of its stream."""
        number = self._h2.get_next_available_stream_id()
        self.streams[number] = Stream()
        self._h2.send_headers(
            number,
            [
                (":method", "POST"),
                (":scheme", "https"),
                (":authority", self._netloc),
                (":path", path),
                ("content-type", "application/json"),
            ],
        )
        self._h2.send_data(number, body, end_stream=True)
        self._socket.sendall(self._h2.data_to_send())
        return number

    def reset(self, number: int) -> None:
        """Give up one stream."""
        try:
            self._h2.reset_stream(number, ErrorCodes.CANCEL)
        except StreamClosedError:
            pass
        self.streams[number].reset = True
        self._socket.sendall(self._h2.data_to_send())

    def read_until(self, condition: Callable[[dict[int, Stream]], bool]) -> None:
        """Read until this is true."""
        while not condition(self.streams):
            data = self._socket.recv(65536)
            assert data, "the connection ended"
            for event in self._h2.receive_data(data):
                self._take(event)
            self._socket.sendall(self._h2.data_to_send())

    def read_all(self) -> None:
        """Read until every stream has ended, one way or another."""
        self.read_until(lambda streams: all(s.ended or s.reset for s in streams.values()))

    def _take(self, event: events.Event) -> None:
        match event:
            case events.ResponseReceived(stream_id=int(number)):
                found = _text(event.headers)
                self.streams[number].status = int(found.pop(":status"))
                self.streams[number].headers = found
            case events.DataReceived(stream_id=int(number), data=bytes(piece)):
                if piece:  # an empty one only ends the stream
                    self.streams[number].chunks.append(piece)
                self._h2.acknowledge_received_data(event.flow_controlled_length or 0, number)
            case events.TrailersReceived(stream_id=int(number)):
                self.streams[number].trailers = _text(event.headers)
            case events.StreamEnded(stream_id=int(number)):
                self.streams[number].ended = True
            case events.StreamReset(stream_id=int(number)):
                self.streams[number].reset = True


def _text(headers: object) -> dict[str, str]:
    assert isinstance(headers, list)
    return {name.decode(): value.decode() for name, value in headers}
