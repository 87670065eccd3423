"""Addresses people type."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replayproxy.address import Upstream, bracketed, is_loopback, parse_upstream, url_of
from replayproxy.errors import UsageError


@pytest.mark.parametrize(
    ("text", "upstream", "origin"),
    [
        (
            "https://api.openai.com",
            Upstream(scheme="https", host="api.openai.com", port=443),
            "https://api.openai.com:443",
        ),
        (
            "https://openrouter.ai/api/v1/",
            Upstream(scheme="https", host="openrouter.ai", port=443, path="/api/v1"),
            "https://openrouter.ai:443",
        ),
        (
            "HTTP://LOCALHOST:11434/v1?x=1",
            Upstream(scheme="http", host="localhost", port=11434, path="/v1"),
            "http://localhost:11434",
        ),
        (
            "http://[::1]/",
            Upstream(scheme="http", host="::1", port=80),
            "http://[::1]:80",
        ),
        (
            "https://me:secret@example.com",
            Upstream(scheme="https", host="example.com", port=443),
            "https://example.com:443",
        ),
    ],
)
def test_an_upstream_is_read_from_its_url(text: str, upstream: Upstream, origin: str) -> None:
    assert parse_upstream(text) == upstream
    assert upstream.origin == origin


@pytest.mark.parametrize(
    "text",
    [
        "",
        "api.openai.com",
        "ftp://x",
        "https://",
        "https://x:port",
        "https://x:99999",
        "http://[::1",
    ],
)
def test_what_is_no_url_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_upstream(text)

    assert str(raised.value) == (
        f"--upstream {text!r} is not a URL. It looks like https://api.openai.com/v1"
    )


@given(st.text())
def test_no_text_raises_anything_else(text: str) -> None:
    try:
        parse_upstream("https://" + text)
    except UsageError:
        pass


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),  # noqa: S104 (nothing listens here)
        ("::", False),
        ("192.168.1.2", False),
        ("example.com", False),
        ("", False),
    ],
)
def test_only_loopback_addresses_are_this_machines_alone(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


def test_a_host_with_colons_has_brackets_in_urls() -> None:
    assert url_of("127.0.0.1", 8080) == "http://127.0.0.1:8080"
    assert url_of("::1", 8080) == "http://[::1]:8080"
    assert (bracketed("a"), bracketed("fe80::1")) == ("a", "[fe80::1]")
