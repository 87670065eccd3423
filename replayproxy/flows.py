"""From mitmproxy's live objects to our values. Needs the `proxy` extra."""

from mitmproxy import http

from replayproxy.model import Headers, Request, ResponseHead


def to_request(request: http.Request) -> Request:
    """The request as the client meant it: its real host also where it was redirected."""
    # latin-1, as the player reads it: lossless, and the same key whatever the bytes
    path, _, query = request.data.path.decode("latin-1").partition("?")
    return Request(
        method=request.method,
        scheme=request.scheme,
        host=request.pretty_host,
        port=request.port,
        path=path,
        query=query,
        http_version=request.http_version,
        headers=_headers(request),
        body=request.raw_content or b"",
    )


def to_head(response: http.Response, offset_ns: int) -> ResponseHead:
    """Status and headers; `offset_ns` is when they were complete."""
    return ResponseHead(
        offset_ns=offset_ns,
        status=response.status_code,
        reason=response.reason,
        http_version=response.http_version,
        headers=_headers(response),
    )


def _headers(message: http.Message) -> Headers:
    return tuple(
        (name.decode("latin-1"), value.decode("latin-1")) for name, value in message.headers.fields
    )
