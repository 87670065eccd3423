"""Flow files of mitmproxy (`mitmdump -w`). Needs the `proxy` extra.

A flow has the time of the first and the last byte, and none between; a body that was
streamed through is not in it.
"""

import io
from datetime import UTC, datetime

from mitmproxy import connection, exceptions, http
from mitmproxy.io import FlowReader, FlowWriter

from replayproxy.cassettes import Track, heads
from replayproxy.errors import CassetteError
from replayproxy.flows import to_head, to_request
from replayproxy.model import Chunk, Ending, Exchange, Headers
from replayproxy.transfer.foreign import Imported

UNKNOWN = "no chunk borders, no time but of the first and the last byte"
_NS_PER_S = 1_000_000_000


def dumps(tracks: list[Track]) -> bytes:
    """The exchanges as a flow file, without secrets in headers and URLs."""
    file = io.BytesIO()
    writer = FlowWriter(file)
    for track in tracks:
        writer.add(_flow(track))
    return file.getvalue()


def loads(data: bytes) -> Imported:
    """What the file holds.

    Raises:
        CassetteError: it is no flow file.
    """
    imported = Imported(unknown=UNKNOWN)
    try:
        for flow in FlowReader(io.BytesIO(data)).stream():
            if not isinstance(flow, http.HTTPFlow):
                imported.skip("not HTTP")
            elif flow.response is None:
                imported.skip("there was no answer")
            elif flow.response.raw_content is None or flow.request.raw_content is None:
                imported.skip("its body was streamed and not kept")
            else:
                imported.tracks.append(_track(flow, flow.response, flow.response.raw_content))
    except (exceptions.FlowReadException, ValueError, TypeError, LookupError) as error:
        raise CassetteError(path=None, reason=f"it is no flow file: {error}") from error
    return imported


def _track(flow: http.HTTPFlow, response: http.Response, body: bytes) -> Track:
    start_s = flow.request.timestamp_end or flow.request.timestamp_start
    end_s = response.timestamp_end or response.timestamp_start
    end_ns = _since(start_s, end_s)
    exchange = Exchange(
        started_at=datetime.fromtimestamp(flow.request.timestamp_start, UTC),
        request=to_request(flow.request),
        head=to_head(response, _since(start_s, response.timestamp_start)),
        ending=Ending.UPSTREAM_CLOSED if flow.error else Ending.FINISHED,
        error=flow.error.msg if flow.error else None,
        end_offset_ns=end_ns,
    )
    return Track(exchange=exchange, chunks=(Chunk(offset_ns=end_ns, data=body),) if body else ())


def _since(start_s: float, moment_s: float) -> int:
    return max(0, round((moment_s - start_s) * _NS_PER_S))


def _flow(track: Track) -> http.HTTPFlow:
    exchange, head = track.exchange, track.exchange.head
    assert head is not None
    asked = heads.hidden(exchange.request)
    started_s = exchange.started_at.timestamp()
    nobody = ("127.0.0.1", 0)
    flow = http.HTTPFlow(
        connection.Client(peername=nobody, sockname=nobody, timestamp_start=started_s),
        connection.Server(address=(asked.host, asked.port)),
    )
    flow.request = http.Request(
        host=asked.host,
        port=asked.port,
        method=asked.method.encode("latin-1", "replace"),
        scheme=asked.scheme.encode("latin-1", "replace"),
        authority=b"",
        path=asked.target.encode("latin-1", "replace"),
        http_version=asked.http_version.encode("latin-1", "replace"),
        headers=_fields(asked.headers),
        content=asked.body,
        trailers=None,
        timestamp_start=started_s,
        timestamp_end=started_s,
    )
    flow.response = http.Response(
        http_version=head.http_version.encode("latin-1", "replace"),
        status_code=head.status,
        reason=head.reason.encode("latin-1", "replace"),
        headers=_fields(heads.hidden_headers(head.headers)),
        content=track.body,
        trailers=None,
        timestamp_start=started_s + head.offset_ns / _NS_PER_S,
        timestamp_end=started_s + (exchange.end_offset_ns or 0) / _NS_PER_S,
    )
    return flow


def _fields(headers: Headers) -> http.Headers:
    return http.Headers([(n.encode("latin-1"), v.encode("latin-1")) for n, v in headers])
