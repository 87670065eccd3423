"""The HTTP server of the player, alone with a small handler."""

import asyncio
import logging
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from replayproxy.certificates import Authority
from replayproxy.errors import ListenError
from replayproxy.model import Request
from replayproxy.playback import Write
from replayproxy.serving import http1, origin
from replayproxy.serving.origin import Origin
from replayproxy.serving.reply import Live, Reply

GET = b"GET /v1/models?limit=2 HTTP/1.1\r\nHost: example.com\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b"
REFUSED = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"


def writes(*parts: bytes, apart_s: float = 0.0) -> Iterator[Write]:
    return iter([Write(at_s=apart_s * n, parts=(part,)) for n, part in enumerate(parts)])


@dataclass(slots=True, kw_only=True)
class Echo:
    """Answers with what was asked; a handler of our own, as the player is one."""

    asked: list[Request] = field(default_factory=list)
    by_proxy: list[bool] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    replies: dict[str, Reply | Live] = field(default_factory=dict)

    async def reply(self, request: Request, *, keep_alive: bool, by_proxy: bool) -> Reply | Live:
        self.asked.append(request)
        self.by_proxy.append(by_proxy)
        text = f"{request.method} {request.path} ".encode() + request.body
        answer = Reply(writes=writes(OK % (len(text), text)), keep_alive=keep_alive)
        return self.replies.get(request.path, answer)

    def refuse(self, reason: str) -> Reply:
        self.refused.append(reason)
        return Reply(writes=writes(REFUSED), keep_alive=False)


@dataclass(slots=True)
class Client:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def answer(self, text: bytes) -> None:
        """Read an answer, which must be this one."""
        expected = OK % (len(text), text)
        assert await self.reader.readexactly(len(expected)) == expected

    async def rest(self) -> bytes:
        """All there is until the server hangs up."""
        return await self.reader.read()


@asynccontextmanager
async def served(
    handler: Echo, *, certificates: Authority | None = None
) -> AsyncIterator[tuple[Origin, Client]]:
    """A server, and one client of it."""
    server = Origin(handler, certificates=certificates)
    client = Client(*await connect(await server.start("127.0.0.1", 0)))
    try:
        yield server, client
    finally:
        client.writer.close()
        await server.close()


def port_of(server: Origin) -> int:
    assert server._server is not None
    return int(server._server.sockets[0].getsockname()[1])


async def connect(port: int) -> tuple[Any, Any]:
    return await asyncio.open_connection("127.0.0.1", port)


def test_a_connection_is_used_again_and_again() -> None:
    async def scenario() -> None:
        handler = Echo()
        async with served(handler) as (_, client):
            for _ in range(3):
                client.send(b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody")
                await client.answer(b"POST /a body")
                client.send(GET)
                await client.answer(b"GET /v1/models ")
        assert [request.path for request in handler.asked] == ["/a", "/v1/models"] * 3

    asyncio.run(scenario())


def test_pipelined_requests_are_answered_in_their_order_however_they_are_cut() -> None:
    async def scenario() -> None:
        wire = b"".join(
            b"POST /%d HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n" % number
            for number in range(5)
        )
        for size in (1, 7, len(wire)):
            handler = Echo()
            async with served(handler) as (_, client):
                for start in range(0, len(wire), size):
                    client.send(wire[start : start + size])
                    await asyncio.sleep(0)
                for number in range(5):
                    await client.answer(b"POST /%d abc" % number)
            assert [request.body for request in handler.asked] == [b"abc"] * 5

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "request_head",
    [b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"GET / HTTP/1.0\r\n\r\n"],
)
def test_a_client_that_asks_once_is_hung_up_on(request_head: bytes) -> None:
    async def scenario() -> None:
        async with served(Echo()) as (_, client):
            client.send(request_head + GET)
            assert await client.rest() == OK % (6, b"GET / ")

    asyncio.run(scenario())


def test_a_client_that_waits_for_100_continue_gets_it_once() -> None:
    async def scenario() -> None:
        async with served(Echo()) as (_, client):
            head = (
                b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
            )
            client.send(head)
            interim = b"HTTP/1.1 100 Continue\r\n\r\n"
            assert await client.reader.readexactly(len(interim)) == interim
            client.send(b"ab")
            await client.answer(b"POST / ab")

    asyncio.run(scenario())


BAD = [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    b"GET\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n",
    b"GET http://[::1/ HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nnot a chunk\r\n",
]


@pytest.mark.parametrize("data", BAD)
def test_what_is_no_request_is_refused_and_hung_up_on(
    data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        handler = Echo()
        async with served(handler) as (_, client):
            client.send(GET + data)
            await client.answer(b"GET /v1/models ")
            assert await client.rest() == REFUSED
        assert len(handler.refused) == 1
        assert len(handler.asked) == 1

    asyncio.run(scenario())
    assert [entry for entry in caplog.records if entry.levelno >= logging.ERROR] == []


@pytest.mark.parametrize("data", [b"GET /" + b"a" * 5_000, b"GET / HTTP/1.1\r\na: " + b"b" * 5_000])
def test_a_head_that_never_ends_is_refused(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with served(Echo()) as (_, client):
            client.send(data)
            assert await client.rest() == REFUSED

    monkeypatch.setattr(http1, "MAX_HEAD_BYTES", 4_096)
    asyncio.run(scenario())


def test_a_body_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        handler = Echo()
        async with served(handler) as (_, client):
            client.send(
                b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\n" + b"x" * 2_000
            )
            assert await client.rest() == REFUSED
        assert (handler.asked, handler.refused) == ([], ["the body is too large"])

    monkeypatch.setattr(http1, "MAX_BODY_BYTES", 1_000)
    asyncio.run(scenario())


def test_each_write_is_one_of_its_own_at_its_own_time() -> None:
    received: list[tuple[float, bytes]] = []

    class Receiver(asyncio.Protocol):
        def __init__(self) -> None:
            self.lost = asyncio.Event()

        def data_received(self, data: bytes) -> None:
            received.append((asyncio.get_running_loop().time(), data))

        def connection_lost(self, error: Exception | None) -> None:
            self.lost.set()

    async def scenario() -> float:
        loop = asyncio.get_running_loop()
        parts = (b"HTTP/1.1 200 OK\r\n\r\n", b"one", b"", b"two", b"three")
        handler = Echo()
        handler.replies["/s"] = Reply(writes=writes(*parts, apart_s=0.02), keep_alive=False)
        async with served(handler) as (server, _):
            transport, receiver = await loop.create_connection(
                Receiver, "127.0.0.1", port_of(server)
            )
            sent_at = loop.time()
            transport.write(b"GET /s HTTP/1.1\r\nHost: x\r\n\r\n")
            await receiver.lost.wait()
        return sent_at

    sent_at = asyncio.run(scenario())
    assert [data for _, data in received] == [b"HTTP/1.1 200 OK\r\n\r\n", b"one", b"two", b"three"]
    due = (0, 0.02, 0.06, 0.08)  # the empty one in between is no write
    assert all(at_s - sent_at >= due_s for (at_s, _), due_s in zip(received, due, strict=True))


@pytest.mark.parametrize(
    ("said", "leaves"),
    [
        ("an hour ago", True),
        ("in an hour", False),
        ("no number", False),
        ("9" * 400, False),
    ],
)
def test_an_interceptor_tells_when_the_request_was_read(said: str, leaves: bool) -> None:
    async def scenario() -> None:
        hour_ns = 3_600 * 10**9
        value = {
            "an hour ago": str(time.monotonic_ns() - hour_ns),
            "in an hour": str(time.monotonic_ns() + hour_ns),
        }.get(said, said)
        handler = Echo()
        handler.replies["/s"] = Reply(
            writes=writes(b"HTTP/1.1 200 OK\r\n\r\n", b"due", apart_s=3_000),
            keep_alive=False,
        )
        async with served(handler) as (server, client):
            head = f"GET /s HTTP/1.1\r\nHost: x\r\n{origin.READ_AT_HEADER}: {value}\r\n\r\n"
            client.send(head.encode())
            assert await client.reader.readexactly(19) == b"HTTP/1.1 200 OK\r\n\r\n"
            (connection,) = server.connections or [None]
            if leaves:
                assert await client.rest() == b"due"
            else:
                assert connection is not None
                assert connection.playing is not None

    asyncio.run(scenario())


def test_a_client_that_hangs_up_ends_its_reply() -> None:
    ended = asyncio.Event()

    def endless() -> Iterator[Write]:
        try:
            number = 0
            while True:
                yield Write(at_s=0.001 * number, parts=(b"x",))
                number += 1
        finally:
            ended.set()

    async def scenario() -> None:
        handler = Echo()
        handler.replies["/s"] = Reply(writes=endless(), keep_alive=True)
        async with served(handler) as (server, client):
            client.send(b"GET /s HTTP/1.1\r\nHost: x\r\n\r\n")
            assert await client.reader.readexactly(3) == b"xxx"
            (connection,) = server.connections
            playing = connection.playing
            client.writer.close()
            assert playing is not None
            await asyncio.wait([playing], timeout=20)
            assert playing.cancelled()
            assert server.connections == set()
        handler.replies.clear()

    asyncio.run(scenario())


def test_a_reply_that_fails_breaks_off_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    def faulty() -> Iterator[Write]:
        yield Write(at_s=0, parts=(b"HTTP/1.1 200 OK\r\n\r\nhalf",))
        raise RuntimeError("nobody thought of this")

    async def scenario() -> None:
        handler = Echo()
        handler.replies["/s"] = Reply(writes=faulty(), keep_alive=True)
        async with served(handler) as (_, client):
            client.send(b"GET /s HTTP/1.1\r\nHost: x\r\n\r\n")
            with pytest.raises(ConnectionResetError):
                await client.rest()

    asyncio.run(scenario())
    assert "an answer could not be written to its end" in caplog.text


def test_a_slow_reader_holds_up_its_own_reply_only() -> None:
    async def scenario() -> None:
        handler = Echo()
        block = b"x" * 1_000_000
        produced = []

        def many() -> Iterator[Write]:
            for number in range(100):
                produced.append(number)
                yield Write(at_s=0, parts=(block,))

        handler.replies["/s"] = Reply(writes=many(), keep_alive=False)
        async with served(handler) as (server, client):
            client.send(b"GET /s HTTP/1.1\r\nHost: x\r\n\r\n")
            (connection,) = await until(lambda: server.connections)
            await until(lambda: not connection._writable.is_set())
            assert len(produced) < 100
            read = 0
            while data := await client.reader.read(1_000_000):
                read += len(data)
        assert (read, len(produced)) == (100_000_000, 100)

    asyncio.run(scenario())


async def until(condition: Any) -> Any:
    async with asyncio.timeout(20):
        while not (found := condition()):  # noqa: ASYNC110 (what is waited for has no event)
            await asyncio.sleep(0.001)
    return found


def test_a_port_that_is_taken_is_said_so() -> None:
    async def scenario() -> None:
        server, second = Origin(Echo()), Origin(Echo())
        port = await server.start("127.0.0.1", 0)
        with pytest.raises(ListenError) as raised:
            await second.start("127.0.0.1", port)
        assert (raised.value.host, raised.value.port) == ("127.0.0.1", port)
        assert str(raised.value).startswith(f"cannot listen on 127.0.0.1:{port}: ")
        assert "--listen 127.0.0.1:0" in str(raised.value)
        await second.close()
        await server.close()

    asyncio.run(scenario())


@pytest.mark.parametrize(("grace_s", "whole"), [(20.0, True), (0.0, False), (0.001, False)])
def test_closing_lets_running_replies_end_for_a_while(grace_s: float, whole: bool) -> None:
    async def scenario() -> None:
        handler = Echo()
        wait_s = 0.2 if whole else 60
        handler.replies["/s"] = Reply(
            writes=writes(b"HTTP/1.1 200 OK\r\n\r\n", b"end", apart_s=wait_s),
            keep_alive=False,
        )
        async with served(handler) as (server, client):
            client.send(b"GET /s HTTP/1.1\r\nHost: x\r\n\r\n")
            assert await client.reader.readexactly(19) == b"HTTP/1.1 200 OK\r\n\r\n"
            await server.close(grace_s=grace_s)
            if whole:
                assert await client.rest() == b"end"
            else:
                with pytest.raises(ConnectionResetError):
                    await client.rest()

    asyncio.run(scenario())


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[Authority, Path]:
    folder = tmp_path_factory.mktemp("authority")
    return Authority(folder), folder / "mitmproxy-ca-cert.pem"


OPEN = b"HTTP/1.1 200 Connection established\r\n\r\n"


def test_inside_a_tunnel_we_answer_for_its_host_in_the_clear_and_through_tls(
    authority: tuple[Authority, Path],
) -> None:
    async def scenario() -> None:
        handler = Echo()
        context = ssl.create_default_context(cafile=authority[1])
        async with served(handler, certificates=authority[0]) as (server, client):
            client.send(GET)  # a kept connection can still ask for a tunnel
            await client.answer(b"GET /v1/models ")
            client.send(b"CONNECT a.example:81 HTTP/1.1\r\nHost: a.example:81\r\n\r\n")
            assert await client.reader.readexactly(len(OPEN)) == OPEN
            for byte in b"GET /clear HTTP/1.0\r\n\r\n":
                client.send(bytes([byte]))
                await asyncio.sleep(0)
            await client.answer(b"GET /clear ")

            reader, writer = await connect(port_of(server))
            writer.write(b"CONNECT b.example:443 HTTP/1.1\r\nHost: b.example\r\n\r\n")
            assert await reader.readexactly(len(OPEN)) == OPEN
            await writer.start_tls(context, server_hostname="b.example")
            secured = Client(reader, writer)
            for path in (b"/1", b"/2"):
                secured.send(b"GET %b HTTP/1.1\r\nHost: b.example\r\n\r\n" % path)
                await secured.answer(b"GET %b " % path)
            secured.send(b"GET /3 HTTP/1.1\r\nHost: b.example\r\nConnection: close\r\n\r\n")
            assert await secured.rest() == OK % (7, b"GET /3 ")
        meant = [(one.scheme, one.host, one.port, one.path) for one in handler.asked]
        assert meant == [
            ("http", "example.com", 80, "/v1/models"),
            ("http", "a.example", 81, "/clear"),
            *(("https", "b.example", 443, path) for path in ("/1", "/2", "/3")),
        ]
        assert handler.by_proxy == [False, True, True, True, True]

    asyncio.run(scenario())


def test_a_client_that_does_not_trust_us_is_told_of_and_hung_up_on(
    authority: tuple[Authority, Path], caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with served(Echo(), certificates=authority[0]) as (server, client):
            client.send(b"CONNECT b.example:443 HTTP/1.1\r\nHost: b.example\r\n\r\n")
            await client.reader.readexactly(len(OPEN))
            with pytest.raises(ssl.SSLCertVerificationError):
                await client.writer.start_tls(
                    ssl.create_default_context(), server_hostname="b.example"
                )
            await until(lambda: not server.connections)

    asyncio.run(scenario())
    assert "does it trust our certificate authority" in caplog.text.lower()


@pytest.mark.parametrize("body", [b"CONNECT me", b"C", b"CONNECT "])
def test_a_body_that_says_connect_asks_for_no_tunnel(
    body: bytes, authority: tuple[Authority, Path]
) -> None:
    async def scenario() -> None:
        async with served(Echo(), certificates=authority[0]) as (_, client):
            for _ in range(2):
                client.send(
                    b"POST /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
                    b"Content-Length: %d\r\n\r\n" % len(body)
                )
                await client.reader.readuntil(b"\r\n\r\n")  # so that the body comes by itself
                client.send(body)
                await asyncio.wait_for(client.answer(b"POST /a " + body), 10)

    asyncio.run(scenario())


def test_without_certificates_connect_is_a_request_like_others() -> None:
    async def scenario() -> None:
        handler = Echo()
        async with served(handler) as (_, client):
            client.send(b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n")
            await client.answer(b"CONNECT a:443 ")
        assert [request.method for request in handler.asked] == ["CONNECT"]

    asyncio.run(scenario())


def passed_on(*pieces: bytes, error: OSError | None = None, keep_alive: bool = True) -> Live:
    async def come() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece
        if error:
            raise error

    return Live(pieces=come(), keep_alive=lambda: keep_alive)


def test_what_comes_from_elsewhere_is_passed_on_and_the_connection_goes_on() -> None:
    async def scenario() -> None:
        handler = Echo()
        handler.replies["/live"] = passed_on((OK % (4, b"live"))[:-2], b"ve")
        async with served(handler) as (_, client):
            client.send(b"GET /live HTTP/1.1\r\nHost: x\r\n\r\n" + GET)
            await client.answer(b"live")
            await client.answer(b"GET /v1/models ")

    asyncio.run(scenario())


def test_what_breaks_off_elsewhere_breaks_off_here(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        handler = Echo()
        handler.replies["/live"] = passed_on(OK % (9, b"half"), error=ConnectionError("gone"))
        async with served(handler) as (_, client):
            client.send(b"GET /live HTTP/1.1\r\nHost: x\r\n\r\n")
            with pytest.raises(ConnectionResetError):
                await client.rest()

    asyncio.run(scenario())
    assert "broke off: gone" in caplog.text
