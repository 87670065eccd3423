"""What the files of other tools have in common: they know less than a recording.

Rule: what is not known is not made up. A body that was kept decoded is one without a
content-encoding; where there is no time of a chunk, all come at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from replayproxy.cassettes import Track
from replayproxy.cassettes.body import units_of
from replayproxy.content_coding import Decoder
from replayproxy.model import (
    Chunk,
    Ending,
    Exchange,
    Headers,
    Request,
    ResponseHead,
    header,
    without,
)

_PORTS = {"http": 80, "https": 443}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True, kw_only=True)
class Imported:
    """What a file held.

    Attributes:
        skipped: why some of it was left out, each reason with how often.
        unknown: what such a file does not say, in words.
    """

    tracks: list[Track] = field(default_factory=list)
    skipped: dict[str, int] = field(default_factory=dict)
    unknown: str = ""

    def skip(self, reason: str) -> None:
        """Count something that was left out."""
        self.skipped[reason] = self.skipped.get(reason, 0) + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """An answer as such a file has it. `wait_ns` and `receive_ns` are 0 if it does not say."""

    status: int
    reason: str
    http_version: str
    headers: Headers
    body: bytes
    wait_ns: int = 0
    receive_ns: int = 0


def a_track(request: Request, answer: Answered, *, started_at: datetime | None) -> Track:
    """The exchange as far as it is known; it is taken to have ended in order."""
    headers = consistent(answer.headers, answer.body)
    end_ns = answer.wait_ns + answer.receive_ns
    chunks = tuple(
        Chunk(offset_ns=end_ns, data=unit) for unit in units_of(answer.body, headers) if unit
    )
    exchange = Exchange(
        started_at=started_at or _date(answer.headers) or _EPOCH,
        request=request,
        head=ResponseHead(
            offset_ns=answer.wait_ns,
            status=answer.status,
            reason=answer.reason,
            http_version=answer.http_version,
            headers=headers,
        ),
        ending=Ending.FINISHED,
        end_offset_ns=end_ns,
    )
    return Track(exchange=exchange, chunks=chunks)


def a_request(method: str, url: str, *, version: str, headers: Headers, body: bytes) -> Request:
    """A request to a URL.

    Raises:
        ValueError: it is no HTTP URL.
    """
    start, _, query = url.partition("#")[0].partition("?")
    parts = urlsplit(start)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError(f"{url!r} is no HTTP URL")
    return Request(
        method=method,
        scheme=parts.scheme,
        host=parts.hostname,
        port=parts.port or _PORTS[parts.scheme],
        path=parts.path or "/",
        query=query,
        http_version=version,
        headers=consistent(headers, body),
        body=body,
    )


def consistent(headers: Headers, body: bytes) -> Headers:
    """The headers without what is not true of this body."""
    coding = header(headers, "content-encoding")
    if coding and body and not _is_coded(body, coding):
        headers = without(headers, {"content-encoding"})
    length = str(len(body))
    return tuple(
        (name, length if name.lower() == "content-length" and body else value)
        for name, value in headers
    )


def pairs(found: Sequence[tuple[object, object]]) -> Headers:
    """Headers as a recording has them: text that fits on the wire."""
    return tuple(
        (str(name), str(value).encode("utf-8", "replace").decode("latin-1"))
        for name, value in found
        if not str(name).startswith(":")
    )


def _is_coded(body: bytes, coding: str) -> bool:
    decoder = Decoder(coding)
    plain = decoder.decode(body)
    if decoder.problem and decoder.problem.startswith("unknown"):
        return not _is_text(body)
    return bool(plain) and not decoder.problem


def _is_text(body: bytes) -> bool:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return False
    return all(c.isprintable() or c.isspace() for c in text[:1000])


def _date(headers: Headers) -> datetime | None:
    try:
        found = parsedate_to_datetime(header(headers, "date") or "")
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
