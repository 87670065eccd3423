"""One exchange as it stands in a cassette file: `request`, `response`, then what is not text.

Rule: what changes from one recording to the next of the same (when it was, how long each
chunk took) stands apart, in `timing`, and may be left out.
"""

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from replayproxy.cassettes import body, heads, timing
from replayproxy.cassettes.track import Track
from replayproxy.model import Chunk, Ending, Exchange, Headers, Request, ResponseHead

_YEARS = (1970, 9998)
"""In which a recording can have been made: any time zone has them, with four digits."""
_USUAL_HTTP = "HTTP/1.1"
_TOP = frozenset({"request", "response", "ending", "error", "cost_usd", "cost_source", "timing"})
_MESSAGE = frozenset({"http", "headers"}) | body.KEYS | body.MORE_KEYS
_REQUEST = _MESSAGE | {"method", "url", *heads.PLACE}
_RESPONSE = _MESSAGE | {"status", "reason"}
_TIMING = frozenset({"started_at", "head", "chunks", "end"})


class NotExchangeError(Exception):
    """What stands in the file is no exchange. The message says why."""


# -- writing -----------------------------------------------------------------------------------


def render(track: Track) -> dict[str, Any]:
    """What stands in the file, without a secret."""
    exchange = track.exchange
    head = exchange.head
    assert head is not None, "only what was answered can be replayed"
    data: dict[str, Any] = {
        "request": _rendered_request(exchange.request),
        "response": _rendered_response(head, track.body),
    }
    if exchange.ending not in {None, Ending.FINISHED}:
        data["ending"] = str(exchange.ending)
    if exchange.error is not None and exchange.ending is not Ending.FINISHED:
        data["error"] = exchange.error.encode("utf-8", "replace").decode()
    if exchange.cost_usd is not None:
        data["cost_usd"] = str(exchange.cost_usd)
        data["cost_source"] = exchange.cost_source
    data["timing"] = {
        "started_at": exchange.started_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "head": f"{timing.milliseconds(head.offset_ns)} ms",
        "chunks": timing.render(track.chunks, body.units_of(track.body, head.headers)),
        "end": f"{timing.milliseconds(exchange.end_offset_ns or 0)} ms",
    }
    return data


def _rendered_request(request: Request) -> dict[str, Any]:
    return {
        "method": request.method,
        **heads.render_place(request),
        **_rendered_message(request.http_version, request.headers, request.body),
    }


def _rendered_response(head: ResponseHead, data: bytes) -> dict[str, Any]:
    return {
        "status": head.status,
        "reason": head.reason,
        **_rendered_message(head.http_version, head.headers, data),
    }


def _rendered_message(version: str, headers: Headers, data: bytes) -> dict[str, Any]:
    message: dict[str, Any] = {} if version == _USUAL_HTTP else {"http": version}
    if headers:
        message["headers"] = heads.render(headers, len(data))
    return {**message, **body.render(data, headers)}


# -- reading -----------------------------------------------------------------------------------


def parse(data: object, *, started_at: datetime) -> tuple[Track, bool]:
    """The exchange, and whether its bytes are exactly what was recorded.

    Args:
        started_at: when it was, if it does not say.

    Raises:
        NotExchangeError: it makes no sense.
    """
    found = _mapping(data, _TOP, "an exchange")
    times = _mapping(found.get("timing") or {}, _TIMING, "timing")
    try:
        request, sent = _parsed_request(_mapping(found.get("request"), _REQUEST, "request"))
        response = _mapping(found.get("response"), _RESPONSE, "response")
        head, received = _parsed_response(response, _ns(times.get("head")))
        chunks = _chunks(times.get("chunks"), received)
        last_ns = chunks[-1].offset_ns if chunks else head.offset_ns
        exchange = Exchange(
            started_at=_moment(times.get("started_at"), started_at),
            request=request,
            head=head,
            ending=Ending(found.get("ending", Ending.FINISHED.value)),
            error=_optional_text(found.get("error"), "error"),
            end_offset_ns=_ns(times["end"]) if "end" in times else last_ns,
            cost_usd=None if found.get("cost_usd") is None else Decimal(str(found["cost_usd"])),
            cost_source=_optional_text(found.get("cost_source"), "cost_source"),
        )
    except (
        heads.NotHeadError,
        body.NotBodyError,
        timing.NotTimingError,
        ValueError,
        InvalidOperation,
    ) as error:
        raise NotExchangeError(str(error) or repr(error)) from error
    return Track(exchange=exchange, chunks=chunks), sent.exact and received.exact


def _parsed_request(found: dict[str, Any]) -> tuple[Request, body.Body]:
    place = heads.parse_place(found)
    version, headers, data = _parsed_message(found)
    request = Request(
        method=_text(found.get("method", "GET"), "method"),
        scheme=_text(place["scheme"], "scheme"),
        host=_text(place["host"], "host"),
        port=_number(place["port"], "port", 65535),
        path=_text(place["path"], "path"),
        query=_text(place["query"], "query"),
        http_version=version,
        headers=headers,
        body=data.data,
    )
    return request, data


def _parsed_response(found: dict[str, Any], offset_ns: int) -> tuple[ResponseHead, body.Body]:
    version, headers, data = _parsed_message(found)
    head = ResponseHead(
        offset_ns=offset_ns,
        status=_number(found.get("status", 200), "status", 999),
        reason=_text(found.get("reason", ""), "reason"),
        http_version=version,
        headers=headers,
    )
    return head, data


def _parsed_message(found: dict[str, Any]) -> tuple[str, Headers, body.Body]:
    headers = heads.parse(found.get("headers"))
    data = body.parse(found, headers)
    headers = heads.with_length(headers, len(data.data))
    return _text(found.get("http", _USUAL_HTTP), "http"), headers, data


def _chunks(text: object, received: body.Body) -> tuple[Chunk, ...]:
    if text is None:
        return timing.untimed(received.units)
    return timing.parse(str(text), received.units)


def _ns(value: object) -> int:
    return 0 if value is None else timing.nanoseconds(str(value).removesuffix(" ms"))


def _moment(value: object, otherwise: datetime) -> datetime:
    if value is None:
        return otherwise
    found = datetime.fromisoformat(str(value))
    if not _YEARS[0] <= found.year <= _YEARS[1]:
        raise NotExchangeError(f"started_at is in the year {found.year}")
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _mapping(value: object, known: frozenset[str], what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise NotExchangeError(f"{what} must be a mapping, not {value!r}"[:200])
    if unknown := [name for name in value if name not in known]:
        raise NotExchangeError(
            f"{what} has {', '.join(map(repr, unknown))}; known are: {', '.join(sorted(known))}"
        )
    return value


def _text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise NotExchangeError(f"{what} must be text, not {value!r}"[:200])
    return value


def _optional_text(value: object, what: str) -> str | None:
    return None if value is None else _text(value, what)


def _number(value: object, what: str, most: int) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise NotExchangeError(f"{what} must be a number of at most {most}, not {value!r}"[:200])
    return value
