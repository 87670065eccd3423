"""Requests as HTTP/1.1 brings them: bytes in, whole requests out. No socket, no clock."""

from contextlib import suppress
from urllib.parse import urlsplit

import h11

from replayproxy.model import Headers, Request, header

MAX_HEAD_BYTES = 1024 * 1024
MAX_BODY_BYTES = 256 * 1024 * 1024
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class NotARequest(Exception):
    """What the client sent is no HTTP/1.1 request that we take; the text says why."""


class RequestReader:
    """The requests of one connection, one after the other.

    Args:
        authority: where a tunnel leads that the requests come through, and the
            `scheme` inside it.

    Attributes:
        keep_alive: whether the connection can be used after the request read last.
        names_its_host: whether the request read last says itself where it is meant
            to go, as proxies are asked; else its Host header may be our own address.
    """

    def __init__(self, *, scheme: str = "http", authority: str | None = None) -> None:
        self.keep_alive = True
        self.names_its_host = False
        self._scheme = scheme
        self._authority = authority
        self._parser = _parser()
        self._head: h11.Request | None = None
        self._body = bytearray()
        self._interim = b""

    def receive(self, data: bytes) -> None:
        """Bytes have come."""
        self._parser.receive_data(data)

    def interim(self) -> bytes:
        """What the client wants to be told before it sends a body; mostly nothing."""
        interim, self._interim = self._interim, b""
        return interim

    def rest(self) -> bytes:
        """What came after the request read last, and is none: it will not be read."""
        rest, _ = self._parser.trailing_data
        self._parser = _parser()
        return rest

    def read(self) -> Request | None:
        """The next request; None: it is not whole yet.

        Raises:
            NotARequest: and it is no use to read on.
        """
        try:
            while True:
                event = self._parser.next_event()
                if isinstance(event, h11.Request):
                    self._head = event
                    if self._parser.they_are_waiting_for_100_continue:
                        self._interim = _CONTINUE
                elif isinstance(event, h11.Data):
                    self._body += event.data
                    if len(self._body) > MAX_BODY_BYTES:
                        raise NotARequest("the body is too large")
                elif isinstance(event, h11.EndOfMessage):
                    return self._whole()
                else:
                    return None
        except h11.RemoteProtocolError as error:
            raise NotARequest(str(error)) from error

    def _whole(self) -> Request:
        assert self._head is not None
        try:
            request = self._to_request(self._head, bytes(self._body))
        except ValueError as error:
            raise NotARequest(str(error)) from error
        self.keep_alive = self._parser.their_state is not h11.MUST_CLOSE
        self._body.clear()
        if rest := self.rest():
            self._parser.receive_data(rest)
        return request

    def _to_request(self, head: h11.Request, body: bytes) -> Request:
        headers: Headers = tuple(
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in head.headers.raw_items()
        )
        method, target = head.method.decode("latin-1"), head.target.decode("latin-1")
        scheme, authority = self._scheme, header(headers, "host") or self._authority or ""
        self.names_its_host = self._authority is not None
        if method == "CONNECT":
            scheme, authority = "https", target
        elif "://" in target.partition("?")[0]:
            url = urlsplit(target)
            scheme, authority = url.scheme, url.netloc.rpartition("@")[2]
            target = target.partition("://")[2].removeprefix(url.netloc) or "/"
            self.names_its_host = True
        host, port = _split(authority)
        path, _, query = target.partition("?")
        return Request(
            method=method,
            scheme=scheme,
            host=host,
            port=port or (443 if scheme == "https" else 80),
            path=path,
            query=query,
            http_version=f"HTTP/{head.http_version.decode('latin-1')}",
            headers=headers,
            body=body,
        )


def _parser() -> h11.Connection:
    return h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD_BYTES)


def _split(authority: str) -> tuple[str, int | None]:
    """Host and port. Raises ValueError if there is no sense in it."""
    address = urlsplit(f"//{authority}")
    port = None
    with suppress(ValueError):
        port = address.port
    return address.hostname or "", port
