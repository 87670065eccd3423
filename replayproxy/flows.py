"""From mitmproxy's live objects to our values. Needs the `proxy` extra."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from mitmproxy import ctx, http

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


# mitmproxy says who ended a flow only in words (proxy/layers/http/)
_BY_CLIENT = re.compile(r"client disconnected|by client", re.IGNORECASE)
_RESET = "stream reset by client"


def ended_by_client(flow: http.HTTPFlow) -> bool:
    """Whether the client ended a flow that has an error; else the upstream did."""
    reason = flow.error.msg if flow.error else ""
    if reason.startswith(_RESET):
        # its words for a stream that is reset by either side: only its state knows better
        stream = next((s for s in _streams(flow) if s.flow is flow), None)
        if stream is not None:
            return bool(stream.client_state == stream.state_errored)
    return bool(_BY_CLIENT.search(reason))


def reads_of(flow: http.HTTPFlow) -> Callable[[], float | None]:
    """What gives another value during each read on the flow's connections.

    It looks inside mitmproxy: if that has changed, it gives None, "unknown".
    """
    watchdog = getattr(_handler(flow), "timeout_watchdog", None)
    return lambda: getattr(watchdog, "last_activity", None)


def _handler(flow: http.HTTPFlow) -> Any:
    handlers = getattr(ctx.master.addons.get("proxyserver"), "connections", {})
    return handlers.get(flow.client_conn.id)


def _streams(flow: http.HTTPFlow) -> Iterator[Any]:
    """The HTTP streams of the flow's client. Looks inside mitmproxy: none if that has changed."""
    todo: list[Any] = [getattr(_handler(flow), "layer", None)]
    while todo:
        layer = todo.pop()
        streams = list(getattr(layer, "streams", {}).values())
        yield from streams
        children = (getattr(layer, name, None) for name in ("child_layer", "layer"))
        todo += [child for child in (*children, *streams) if child is not None]


def _headers(message: http.Message) -> Headers:
    return tuple(
        (name.decode("latin-1"), value.decode("latin-1")) for name, value in message.headers.fields
    )
