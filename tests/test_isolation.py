"""Whose playlist a request belongs to."""

import pytest

from replayproxy.isolation import split_token
from tests.builders import a_request


@pytest.mark.parametrize(
    ("path", "token", "meant"),
    [
        ("/v1/models", "", "/v1/models"),
        ("/_replayproxy/session/a/v1/models", "a", "/v1/models"),
        ("/_replayproxy/session/t%5B1%5D/v1/models", "t%5B1%5D", "/v1/models"),
        ("/_replayproxy/session/a", "a", "/"),
        ("/_replayproxy/session/a/", "a", "/"),
        ("/_replayproxy/session//v1", "", "/v1"),
        ("/v1/_replayproxy/session/a", "", "/v1/_replayproxy/session/a"),
    ],
)
def test_a_base_url_can_carry_a_token(path: str, token: str, meant: str) -> None:
    assert split_token(a_request(path=path)) == (token, a_request(path=meant))


def test_so_can_a_header() -> None:
    request = a_request(headers=(("X-Replayproxy-Session", "b"),))

    assert split_token(request) == ("b", request)
