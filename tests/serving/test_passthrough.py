"""What may leave a replay, and what never does by accident."""

import pytest

from replayproxy.errors import UsageError
from replayproxy.serving.passthrough import Passthrough

REPLAYED = [("llm.corp", 443), ("127.0.0.1", 8000)]


@pytest.mark.parametrize(
    ("pattern", "host", "port", "leaves"),
    [
        ("example.com", "example.com", 443, True),
        ("example.com", "a.example.com", 80, True),
        ("Example.COM.", "example.com.", 80, True),
        ("example.com", "notexample.com", 443, False),
        ("example.com:80", "example.com", 443, False),
        ("*.example.com", "example.com", 443, False),
        ("*.example.com", "a.example.com", 443, True),
        ("127.0.0.1:6333", "127.0.0.1", 6333, True),
        ("127.0.0.1", "127.0.0.1", 6333, True),
        ("127.0.0.1", "127.0.0.1", 8000, False),
        ("[::1]:6333", "::1", 6333, True),
        ("::1", "::1", 1, True),
        ("*", "llm.corp", 443, False),
        ("corp", "llm.corp", 443, False),
        ("llm.corp:443", "llm.corp", 443, True),
        ("*", "api.openai.com", 443, False),
        ("openai.com", "api.openai.com", 443, False),
        ("api.openai.com:443", "api.openai.com", 443, True),
        ("*", "169.254.169.254", 80, False),
        ("169.254.169.254:80", "169.254.169.254", 80, True),
    ],
)
def test_a_pattern_lets_out_what_it_means_and_no_more(
    pattern: str, host: str, port: int, leaves: bool
) -> None:
    assert Passthrough.parse([pattern], replayed=REPLAYED).lets(host, port) is leaves


@pytest.mark.parametrize("named", ["api.openai.com", "llm.corp"])
def test_naming_what_is_replayed_without_its_port_is_told(named: str) -> None:
    with pytest.raises(UsageError, match=f"name its port: --passthrough {named}:443"):
        Passthrough.parse([named], replayed=REPLAYED)


@pytest.mark.parametrize("text", ["", "http://a.b", "a:b", "a:99999", ":80"])
def test_what_is_no_host_is_told(text: str) -> None:
    with pytest.raises(UsageError, match="is no host"):
        Passthrough.parse([text], replayed=[])
