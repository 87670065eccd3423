"""An HTTP/1.1 answer as the bytes of each write: a recorded one, or an error of ours.

Rule: what was recorded is sent; what belongs to the old connection is not.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus

from replayproxy.model import Exchange, Headers, Request, header, without
from replayproxy.playback import Write, at, ends_whole, schedule
from replayproxy.protocols import detect
from replayproxy.redaction import FINGERPRINT_PREFIX, is_kept
from replayproxy.session import Hit

MARK = "x-replayproxy"
EXCHANGE_MARK = "x-replayproxy-exchange"
NORMALIZED_MARK = "x-replayproxy-normalized"
"""Of a hit: where the request differs from what was recorded, made equal by rules."""

_LAST_CHUNK = b"0\r\n\r\n"
_ONE_LINE = str.maketrans("", "", "\r\n\0")  # a recording may come from a stranger

_OF_THE_CONNECTION = frozenset(
    {
        "alt-svc",
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        EXCHANGE_MARK,
        MARK,
        NORMALIZED_MARK,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What leaves, and when.

    Attributes:
        writes: in their order; the parts of each are sent as one.
        keep_alive: whether the connection can be used again.
        on_end: is told once, when no more is written, how many seconds the latest
            write was late.
    """

    writes: Iterator[Write]
    keep_alive: bool
    on_end: Callable[[float], None] = lambda late_s: None


def recorded(
    hit: Hit,
    request: Request,
    *,
    speed: float,
    keep_alive: bool,
    on_end: Callable[[float], None] = lambda late_s: None,
) -> Reply:
    """A recorded answer, in its own framing and at its own times."""
    exchange = hit.exchange
    framing = _Framing.of(exchange, request)
    keep_alive = keep_alive and framing.reusable and ends_whole(exchange)
    return Reply(
        writes=_writes(hit, framing, speed=speed, keep_alive=keep_alive),
        keep_alive=keep_alive,
        on_end=on_end,
    )


def problem(
    request: Request, *, status: int, mark: str, message: str, code: str, keep_alive: bool
) -> Reply:
    """An error of ours, in the shape that the clients of the request's API show."""
    error = detect(request.method, request.path).error_body(message=message, code=code)
    body = json.dumps(error).encode()
    headers: Headers = (
        ("content-type", "application/json"),
        ("content-length", str(len(body))),
        (MARK, mark),
        ("x-should-retry", "false"),
    )
    data = _head(status, HTTPStatus(status).phrase, headers, keep_alive=keep_alive)
    if request.method != "HEAD":
        data += body
    return Reply(writes=iter([Write(at_s=0.0, parts=(data,))]), keep_alive=keep_alive)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Framing:
    """How the receiver learns where a body ends."""

    has_body: bool
    chunked: bool
    reusable: bool

    @classmethod
    def of(cls, exchange: Exchange, request: Request) -> "_Framing":
        assert exchange.head is not None
        status, headers = exchange.head.status, exchange.head.headers
        if request.method == "HEAD" or status in {204, 304} or status < 200:
            return cls(has_body=False, chunked=False, reusable=True)
        if header(headers, "content-length") is not None:
            return cls(has_body=True, chunked=False, reusable=True)
        was_http1 = exchange.head.http_version.startswith("HTTP/1")
        until_close = was_http1 and header(headers, "transfer-encoding") is None
        # a body that broke off may not end like a whole one: with chunks, the last is missing
        chunked = not (until_close and ends_whole(exchange)) and request.http_version != "HTTP/1.0"
        return cls(has_body=True, chunked=chunked, reusable=chunked)


def _writes(hit: Hit, framing: _Framing, *, speed: float, keep_alive: bool) -> Iterator[Write]:
    exchange = hit.exchange
    assert exchange.head is not None
    kept = tuple(
        (name, value)
        for name, value in without(exchange.head.headers, _OF_THE_CONNECTION)
        if is_kept(name) or not value.startswith(FINGERPRINT_PREFIX)
    )
    marks: Headers = ((MARK, "hit"), (EXCHANGE_MARK, str(exchange.id)))
    if hit.normalized:
        marks += ((NORMALIZED_MARK, ", ".join(hit.normalized)),)
    framed: Headers = (("Transfer-Encoding", "chunked"),) if framing.chunked else ()
    headers: Headers = (*kept, *framed, *marks)
    head = _head(exchange.head.status, exchange.head.reason, headers, keep_alive=keep_alive)
    yield Write(at_s=at(exchange.head.offset_ns, speed=speed), parts=(head,))
    if not framing.has_body:
        return
    for write in schedule(hit.chunks, speed=speed):
        yield Write(at_s=write.at_s, parts=_chunked(write.parts)) if framing.chunked else write
    last = (_LAST_CHUNK,) if framing.chunked and ends_whole(exchange) else ()
    yield Write(at_s=at(exchange.end_offset_ns, speed=speed), parts=last)


def _chunked(parts: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """Each part as one HTTP chunk (an empty one would end the body)."""
    return tuple(b"%x\r\n%b\r\n" % (len(part), part) for part in parts if part)


def _head(status: int, reason: str, headers: Headers, *, keep_alive: bool) -> bytes:
    lines = [f"HTTP/1.1 {status} {reason}"]
    lines += [f"{name}: {value}" for name, value in headers]
    if not keep_alive:
        lines.append("Connection: close")
    text = "\r\n".join(line.translate(_ONE_LINE) for line in lines)
    return f"{text}\r\n\r\n".encode("latin-1", "replace")
