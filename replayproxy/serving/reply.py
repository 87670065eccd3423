"""An HTTP/1.1 answer as the bytes of each write: a recorded one, or an error of ours.

Rule: what was recorded is sent; what belongs to the old connection is not.
"""

import json
import math
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass
from http import HTTPStatus

from replayproxy.model import Exchange, Headers, Request, header, without
from replayproxy.playback import Pace, Timeline, Write, ends_whole, schedule
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

_WAITS = frozenset({"retry-after", "retry-after-ms"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What leaves, and when.

    Attributes:
        writes: in their order; the parts of each are sent as one.
        keep_alive: whether the connection can be used again.
        on_end: is told once, when no more is written: how many seconds the latest
            write was late, and how many all took.
    """

    writes: Iterator[Write]
    keep_alive: bool
    on_end: Callable[[float, float], None] = lambda late_s, duration_s: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """An answer that comes from elsewhere, and leaves as it comes.

    Attributes:
        pieces: of the connection's bytes, head and framing included. Raises OSError
            where the answer breaks off.
        keep_alive: whether the connection can be used again; asked after the last piece.
    """

    pieces: AsyncIterator[bytes]
    keep_alive: Callable[[], bool]


def recorded(
    hit: Hit,
    request: Request,
    *,
    pace: Pace,
    keep_alive: bool,
    on_end: Callable[[float, float], None] = lambda late_s, duration_s: None,
) -> Reply:
    """A recorded answer, in its own framing and at its own times."""
    exchange = hit.exchange
    framing = _Framing.of(exchange, request)
    keep_alive = keep_alive and framing.reusable and ends_whole(exchange)
    return Reply(
        writes=_writes(hit, framing, pace=pace, keep_alive=keep_alive),
        keep_alive=keep_alive,
        on_end=on_end,
    )


def problem(
    request: Request, *, status: int, mark: str, message: str, code: str, keep_alive: bool
) -> Reply:
    """An error of ours, in the shape that the clients of the request's API show."""
    error = detect(request.method, request.path).error_body(message=message, code=code)
    more: Headers = ((MARK, mark), ("x-should-retry", "false"))
    return of_ours(
        request, json.dumps(error).encode(), status=status, more=more, keep_alive=keep_alive
    )


def of_ours(
    request: Request, body: bytes, *, status: int = 200, more: Headers = (), keep_alive: bool
) -> Reply:
    """JSON that no upstream has said."""
    headers: Headers = (
        ("content-type", "application/json"),
        ("content-length", str(len(body))),
        *more,
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


def _writes(hit: Hit, framing: _Framing, *, pace: Pace, keep_alive: bool) -> Iterator[Write]:
    exchange = hit.exchange
    assert exchange.head is not None
    timeline = Timeline(pace, seed=exchange.id or 0)
    head = _head(
        exchange.head.status,
        exchange.head.reason,
        (*_kept(exchange.head.headers, pace), *_added(hit, framing)),
        keep_alive=keep_alive,
    )
    yield Write(at_s=timeline.at(exchange.head.offset_ns), parts=(head,))
    if not framing.has_body:
        return
    if framing.chunked and pace.is_instant:  # the framing keeps the chunks apart, without turns
        yield Write(at_s=0.0, parts=_chunked(chunk.data for chunk in hit.chunks))
    else:
        for write in schedule(hit.chunks, timeline):
            parts = _chunked(write.parts) if framing.chunked else write.parts
            yield Write(at_s=write.at_s, parts=parts)
    last = (_LAST_CHUNK,) if framing.chunked and ends_whole(exchange) else ()
    yield Write(at_s=timeline.at(exchange.end_offset_ns), parts=last)


def _kept(headers: Headers, pace: Pace) -> Headers:
    kept = tuple(
        (name, value)
        for name, value in without(headers, _OF_THE_CONNECTION)
        if is_kept(name) or not value.startswith(FINGERPRINT_PREFIX)
    )
    if pace.speed == 1 or not any(name.lower() in _WAITS for name, _ in kept):
        return kept
    return _hastened(kept, pace.speed)


def _hastened(headers: Headers, speed: float) -> Headers:
    """Who is told to wait before the next try waits at the speed of the replay.

    SDKs take 0 seconds for "not said" and wait as they like: then milliseconds say it.
    """
    waits = {
        name.lower(): _divided(value, speed) for name, value in headers if name.lower() in _WAITS
    }
    if "0" in waits.values():
        waits["retry-after-ms"] = "1"
    return (*without(headers, _WAITS), *waits.items())


def _divided(value: str, speed: float) -> str:
    """A date stays as it is: it has passed long since, so nobody waits for it."""
    try:
        return str(math.ceil(float(value) / speed))
    except (ValueError, OverflowError):
        return value


def _added(hit: Hit, framing: _Framing) -> Iterator[tuple[str, str]]:
    if framing.chunked:
        yield "Transfer-Encoding", "chunked"
    yield MARK, "hit"
    yield EXCHANGE_MARK, str(hit.exchange.id)
    if hit.normalized:
        yield NORMALIZED_MARK, ", ".join(hit.normalized)


def _chunked(parts: Iterable[bytes]) -> tuple[bytes, ...]:
    """Each part as one HTTP chunk (an empty one would end the body)."""
    return tuple(b"%x\r\n%b\r\n" % (len(part), part) for part in parts if part)


def _head(status: int, reason: str, headers: Headers, *, keep_alive: bool) -> bytes:
    lines = [f"HTTP/1.1 {status} {reason}"]
    lines += [f"{name}: {value}" for name, value in headers]
    if not keep_alive:
        lines.append("Connection: close")
    text = "\r\n".join(line.translate(_ONE_LINE) for line in lines)
    return f"{text}\r\n\r\n".encode("latin-1", "replace")
