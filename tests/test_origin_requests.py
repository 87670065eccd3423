"""Requests as the origin reads them: with a path, or with a URL as proxies get it."""

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replayproxy.origin import to_request


def event(target: str, *headers: tuple[str, str], version: str = "1.1") -> h11.Request:
    return h11.Request(
        method="GET", target=target, headers=list(headers) or [("Host", "h")], http_version=version
    )


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
    request = to_request(event(target, ("Host", host_header)), b"")

    assert (request.scheme, request.host, request.port, request.path, request.query) == expected


def test_a_request_has_its_headers_as_they_stood_on_the_wire() -> None:
    headers = [(b"Host", b"h"), (b"X-A", b"caf\xe9"), (b"x-a", b"2")]

    request = to_request(h11.Request(method="GET", target="/", headers=headers), b"body")

    assert request.headers == (("Host", "h"), ("X-A", "caf\xe9"), ("x-a", "2"))
    assert (request.method, request.http_version, request.body) == ("GET", "HTTP/1.1", b"body")


def test_a_request_of_http_1_0_may_have_no_host() -> None:
    request = to_request(event("/", ("a", "b"), version="1.0"), b"")

    assert (request.host, request.port, request.http_version) == ("", 80, "HTTP/1.0")


@given(st.text(st.characters(codec="ascii", min_codepoint=33), min_size=1), st.text())
def test_no_target_and_no_host_raises_anything_unforeseen(target: str, host: str) -> None:
    try:
        request = to_request(event(target, ("Host", host)), b"")
    except (ValueError, h11.LocalProtocolError):
        return
    assert "?" not in request.path
