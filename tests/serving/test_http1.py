"""Requests as they stand on the wire: with a path, or with a URL as proxies get it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replayproxy.model import Request
from replayproxy.serving import http1
from replayproxy.serving.http1 import NotARequest, RequestReader


def read(wire: bytes, reader: RequestReader | None = None) -> Request:
    reader = reader or RequestReader()
    reader.receive(wire)
    request = reader.read()
    assert request is not None
    return request


def get(target: str, host: str = "h") -> bytes:
    return f"GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()


@pytest.mark.parametrize(
    ("target", "host_header", "expected"),
    [
        ("/a?b=1?2", "h", ("http", "h", 80, "/a", "b=1?2")),
        ("/a", "h:8080", ("http", "h", 8080, "/a", "")),
        ("/a", "[::1]:8080", ("http", "::1", 8080, "/a", "")),
        ("/a", "h:port", ("http", "h", 80, "/a", "")),
        ("/a?u=http://x/y", "h", ("http", "h", 80, "/a", "u=http://x/y")),
        ("http://o:1/a?b#c", "h", ("http", "o", 1, "/a", "b#c")),
        ("https://o/a", "h", ("https", "o", 443, "/a", "")),
        ("http://o", "h", ("http", "o", 80, "/", "")),
        ("http://me:secret@o/a", "h", ("http", "o", 80, "/a", "")),
        ("HTTP://O/A", "h", ("http", "o", 80, "/A", "")),
        ("*", "h", ("http", "h", 80, "*", "")),
    ],
)
def test_a_target_is_a_path_or_a_url(
    target: str, host_header: str, expected: tuple[str, str, int, str, str]
) -> None:
    request = read(get(target, host_header))

    assert (request.scheme, request.host, request.port, request.path, request.query) == expected


def test_a_request_has_its_headers_as_they_stood_on_the_wire() -> None:
    request = read(
        b"POST / HTTP/1.1\r\nHost: h\r\nX-A: caf\xe9\r\nx-a: 2\r\nContent-Length: 4\r\n\r\nbody"
    )

    assert request.headers == (
        ("Host", "h"), ("X-A", "caf\xe9"), ("x-a", "2"), ("Content-Length", "4"),
    )  # fmt: skip
    assert (request.method, request.http_version, request.body) == ("POST", "HTTP/1.1", b"body")


def test_a_request_of_http_1_0_may_have_no_host() -> None:
    reader = RequestReader()

    request = read(b"GET / HTTP/1.0\r\na: b\r\n\r\n", reader)

    assert (request.host, request.port, request.http_version) == ("", 80, "HTTP/1.0")
    assert not reader.keep_alive


@pytest.mark.parametrize(
    ("target", "authority", "names_it"),
    [("/a", None, False), ("http://o/a", None, True), ("/a", "o:443", True)],
)
def test_it_is_known_whether_a_request_says_where_it_is_meant_to_go(
    target: str, authority: str | None, names_it: bool
) -> None:
    reader = RequestReader(scheme="https", authority=authority)

    read(get(target), reader)

    assert reader.names_its_host is names_it


def test_inside_a_tunnel_the_host_header_counts_and_the_tunnel_where_there_is_none() -> None:
    def inside() -> RequestReader:
        return RequestReader(scheme="https", authority="o:8443")

    named, unnamed = read(get("/a"), inside()), read(b"GET /a HTTP/1.0\r\n\r\n", inside())

    assert (named.scheme, named.host, named.port) == ("https", "h", 443)
    assert (unnamed.scheme, unnamed.host, unnamed.port) == ("https", "o", 8443)


def test_who_asks_for_a_tunnel_is_asking_for_a_host() -> None:
    reader = RequestReader()

    request = read(b"CONNECT o:8443 HTTP/1.1\r\nHost: h\r\n\r\n\x16\x03", reader)

    assert (request.method, request.host, request.port) == ("CONNECT", "o", 8443)
    assert reader.rest() == b"\x16\x03"


def test_who_waits_for_100_continue_is_told_once() -> None:
    reader = RequestReader()
    reader.receive(b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n")
    reader.receive(b"Expect: 100-continue\r\n\r\n")

    assert reader.read() is None
    assert [reader.interim(), reader.interim()] == [b"HTTP/1.1 100 Continue\r\n\r\n", b""]
    reader.receive(b"2")
    assert reader.read() is None
    assert reader.interim() == b""
    assert read(b"\r\nab\r\n0\r\n\r\n", reader).body == b"ab"


def test_a_head_or_a_body_that_is_too_large_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http1, "MAX_HEAD_BYTES", 1_000)
    monkeypatch.setattr(http1, "MAX_BODY_BYTES", 1_000)
    long_head, long_body = b"GET /" + b"a" * 2_000, b"x" * 2_000

    for wire in (
        long_head,
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9999\r\n\r\n" + long_body,
    ):
        reader = RequestReader()
        reader.receive(wire)
        with pytest.raises(NotARequest):
            reader.read()


@given(st.text(st.characters(codec="ascii", min_codepoint=33), min_size=1), st.text())
def test_no_target_and_no_host_raises_anything_unforeseen(target: str, host: str) -> None:
    reader = RequestReader()
    reader.receive(f"GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    try:
        request = reader.read()
    except NotARequest:
        return
    assert request is None or "?" not in request.path


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_unforeseen(wire: bytes) -> None:
    reader = RequestReader()
    reader.receive(wire)
    try:
        reader.read()
    except NotARequest:
        pass
