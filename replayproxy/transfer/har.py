"""HAR 1.2 (http://www.softwareishard.com/blog/har-12-spec/), as browsers and proxies write it.

A body is kept decoded, and a stream has no chunks. So that nothing is lost between two
of us, our own files also have each exchange in `_replayproxy`, as a text cassette has it.
"""

import base64
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

from replayproxy import __version__
from replayproxy.cassettes import Track, exchange_data, heads
from replayproxy.cassettes.events import from_base64
from replayproxy.content_coding import Decoder
from replayproxy.errors import CassetteError
from replayproxy.json_text import UNREADABLE, parse_json
from replayproxy.model import Headers, Request, ResponseHead, header
from replayproxy.transfer.foreign import Answered, Imported, a_request, a_track, pairs

UNKNOWN = "no chunk borders, no time but of the first and the last byte"
_OURS = "_replayproxy"
_NS_PER_MS = 1_000_000


# -- writing -----------------------------------------------------------------------------------


def dumps(tracks: list[Track]) -> str:
    """The exchanges as a HAR file, without secrets in headers and URLs."""
    log = {
        "version": "1.2",
        "creator": {"name": "replayproxy", "version": __version__},
        "entries": [_entry(track) for track in tracks],
    }
    return json.dumps({"log": log}, ensure_ascii=False, indent=1) + "\n"


def _entry(track: Track) -> dict[str, Any]:
    exchange = track.exchange
    head = exchange.head
    assert head is not None
    wait_ms = head.offset_ns / _NS_PER_MS
    total_ms = max(wait_ms, (exchange.end_offset_ns or 0) / _NS_PER_MS)
    return {
        "startedDateTime": exchange.started_at.astimezone(UTC).isoformat(),
        "time": total_ms,
        "request": _request(heads.hidden(exchange.request)),
        "response": _response(head, track.body),
        "cache": {},
        "timings": {"send": 0, "wait": wait_ms, "receive": total_ms - wait_ms},
        _OURS: exchange_data.render(track),
    }


def _request(request: Request) -> dict[str, Any]:
    found: dict[str, Any] = {
        "method": request.method,
        "url": f"{request.scheme}://{request.host}:{request.port}{request.target}",
        "httpVersion": request.http_version,
        "cookies": [],
        "headers": _named(request.headers),
        "queryString": _named(tuple(parse_qsl(request.query, keep_blank_values=True))),
        "headersSize": -1,
        "bodySize": len(request.body),
    }
    if request.body:
        mime = header(request.headers, "content-type") or ""
        found["postData"] = {"mimeType": mime, "text": request.body.decode("utf-8", "replace")}
    return found


def _response(head: ResponseHead, body: bytes) -> dict[str, Any]:
    decoder = Decoder(header(head.headers, "content-encoding"))
    plain = decoder.decode(body)
    content: dict[str, Any] = {
        "size": len(plain),
        "mimeType": header(head.headers, "content-type") or "",
    }
    try:
        content["text"] = plain.decode()
    except UnicodeDecodeError:
        content |= {"text": base64.b64encode(plain).decode(), "encoding": "base64"}
    return {
        "status": head.status,
        "statusText": head.reason,
        "httpVersion": head.http_version,
        "cookies": [],
        "headers": _named(heads.hidden_headers(head.headers)),
        "content": content,
        "redirectURL": "",
        "headersSize": -1,
        "bodySize": len(body),
    }


def _named(found: Headers) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in found]


# -- reading -----------------------------------------------------------------------------------


def loads(text: str) -> Imported:
    """What the file holds.

    Raises:
        CassetteError: it is no HAR file.
    """
    data = parse_json(text.removeprefix("\ufeff"))
    log = data.get("log") if isinstance(data, dict) else None
    entries = log.get("entries") if isinstance(log, dict) else None
    if data is UNREADABLE or not isinstance(entries, list):
        raise CassetteError(path=None, reason="it is no HAR file: there is no log with entries")
    imported = Imported(unknown=UNKNOWN)
    for entry in entries:
        try:
            if (reason := _useless(entry)) is not None:
                imported.skip(reason)
                continue
            imported.tracks.append(_our_track(entry) if _OURS in entry else _track(entry))
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            imported.skip(f"not as HAR 1.2 has it ({error!r})"[:120])
    if any(isinstance(entry, dict) and _OURS in entry for entry in entries):
        imported.unknown = ""
    return imported


def _useless(entry: Any) -> str | None:
    response = entry["response"]
    if not response["status"]:
        return "there was no answer"
    if not entry["request"]["url"].startswith("http"):
        return "not HTTP"
    content = response.get("content") or {}
    if content.get("size") and "text" not in content and _OURS not in entry:
        return "the answer's body was not kept"
    return None


def _our_track(entry: Any) -> Track:
    try:
        track, _ = exchange_data.parse(
            entry[_OURS], started_at=datetime.fromisoformat(entry["startedDateTime"])
        )
    except exchange_data.NotExchangeError as error:
        raise ValueError(str(error)) from error
    return track


def _track(entry: Any) -> Track:
    asked, answered, timings = entry["request"], entry["response"], entry.get("timings") or {}
    request = a_request(
        asked["method"],
        asked["url"],
        version=_version(asked.get("httpVersion")),
        headers=_headers(asked),
        body=_sent(asked.get("postData") or {}),
    )
    started_at = datetime.fromisoformat(entry["startedDateTime"]).astimezone(UTC)
    answer = Answered(
        status=int(answered["status"]),
        reason=str(answered.get("statusText") or ""),
        http_version=_version(answered.get("httpVersion")),
        headers=_headers(answered),
        body=_received(answered.get("content") or {}),
        wait_ns=_ns(timings.get("wait")),
        receive_ns=_ns(timings.get("receive")),
    )
    return a_track(request, answer, started_at=started_at)


def _headers(message: Any) -> Headers:
    return pairs([(h["name"], h["value"]) for h in message.get("headers") or []])


def _received(content: Any) -> bytes:
    text = content.get("text") or ""
    if content.get("encoding") == "base64":
        return from_base64(text)
    body: bytes = text.encode("utf-8", "replace")
    # some write bytes as text by another charset: their size tells
    if len(body) != content.get("size") == len(text) and max(text, default="") < "\u0100":
        return text.encode("latin-1")
    return body


def _sent(post: Any) -> bytes:
    if isinstance(text := post.get("text"), str) and text:
        return text.encode("utf-8", "replace")
    fields = [(p["name"], p.get("value") or "") for p in post.get("params") or []]
    return urlencode(fields).encode()


def _version(found: Any) -> str:
    text = str(found or "").upper()
    return "HTTP/2.0" if text in {"H2", "HTTP/2", "HTTP/2.0", "H3", "HTTP/3"} else "HTTP/1.1"


def _ns(ms: Any) -> int:
    return max(0, round(float(ms or 0) * _NS_PER_MS))
