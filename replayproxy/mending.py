"""What HTTP/1.1 allows and mitmproxy cannot read: there it would leave the client waiting.

* Trailers make it give the connection up. They are left out, as a proxy may
  (RFC 9110 6.5.1): its HTTP/1.1 side could not send them.
* An interim answer (103 Early Hints, a 100 that nobody asked for) is taken for
  the final one. It is left out, and the final one waited for (RFC 9110 15.2).

Looks inside mitmproxy; where that has changed nothing is mended. Needs the `proxy` extra.
"""

import re
from typing import Any

import h11
from h11._readers import ChunkedReader
from h11._receivebuffer import ReceiveBuffer
from mitmproxy.proxy.layers import http
from mitmproxy.proxy.layers.http import _http1

_INTERIM = re.compile(rb"HTTP/1\.\d 1(?!01\b)\d\d\b")  # 101 is final: another protocol follows


class _WithoutTrailers(ChunkedReader):
    """Reads a chunked body; what follows the last chunk is dropped."""

    def __call__(self, buffer: ReceiveBuffer) -> Any:
        event = super().__call__(buffer)
        return h11.EndOfMessage() if isinstance(event, h11.EndOfMessage) else event


class _FinalHeads(ReceiveBuffer):
    """Received bytes; of the heads of answers it gives only final ones."""

    def maybe_extract_lines(self) -> Any:
        lines = super().maybe_extract_lines()
        while lines and _INTERIM.match(bytes(lines[0])):
            lines = super().maybe_extract_lines()
        return lines


class _Client(_http1.Http1Client):
    """The side that talks to upstreams."""

    def __init__(self, context: Any) -> None:
        super().__init__(context)
        self.buf = _FinalHeads()


def mend() -> None:
    """Do it for all connections that are made from now on; more than once does no harm."""
    vars(_http1)["ChunkedReader"] = _WithoutTrailers
    vars(http)["Http1Client"] = _Client
