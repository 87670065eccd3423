"""A recorded request, made ready: which headers go, and whose key goes where."""

from typing import Any

import pytest

from replayproxy.address import Upstream
from replayproxy.model import Headers, Request, header
from replayproxy.redaction import redact_request
from replayproxy.verifying import Credentials, Outgoing
from tests.builders import a_request, asking

OPENAI = Upstream(scheme="https", host="api.openai.com", port=443)
LOCAL = Upstream(scheme="http", host="127.0.0.1", port=8000)
KEY = "sk-environment-1"


def stored(*headers: tuple[str, str], **given: Any) -> Request:
    return redact_request(asking(headers=headers, **given), key=b"k")


def ready(
    request: Request,
    upstream: Upstream = OPENAI,
    environ: dict[str, str] | None = None,
    *,
    given: Headers = (),
) -> Outgoing:
    return Credentials(given=given, environ=environ or {}).outgoing(request, upstream)


def test_what_was_stored_goes_and_what_belongs_to_the_old_connection_does_not() -> None:
    request = stored(
        ("Host", "old"), ("User-Agent", "OpenAI/Python 3"), ("Content-Length", "7"),
        ("Connection", "keep-alive"), ("Accept-Encoding", "br"), ("x-aig-tag", "eval"),
        ("traceparent", "00-1-2-01"), ("X-Custom", "who knows"), ("OpenAI-Organization", "org"),
    )  # fmt: skip

    outgoing = ready(request, LOCAL)

    assert outgoing.request.headers == (
        ("Host", "127.0.0.1:8000"),
        ("Accept-Encoding", "gzip, deflate"),
        ("Connection", "close"),
        ("Content-Length", str(len(request.body))),
        ("User-Agent", "OpenAI/Python 3"),
        ("x-aig-tag", "eval"),
    )
    assert outgoing.left_out == ("X-Custom", "OpenAI-Organization")
    assert not outgoing.lacks_key
    assert outgoing.origin == "http://127.0.0.1:8000"


@pytest.mark.parametrize(
    ("host", "variable", "name", "value"),
    [
        ("api.openai.com", "OPENAI_API_KEY", "Authorization", f"Bearer {KEY}"),
        ("api.anthropic.com", "ANTHROPIC_API_KEY", "x-api-key", KEY),
        ("me.openai.azure.com", "AZURE_OPENAI_API_KEY", "api-key", KEY),
        ("generativelanguage.googleapis.com", "GOOGLE_API_KEY", "x-goog-api-key", KEY),
        ("openrouter.ai", "OPENROUTER_API_KEY", "Authorization", f"Bearer {KEY}"),
    ],
)
def test_a_providers_key_takes_the_place_of_the_recorded_one(
    host: str, variable: str, name: str, value: str
) -> None:
    to = Upstream(scheme="https", host=host, port=443)

    outgoing = ready(stored((name, "Bearer old")), to, {variable: KEY})

    assert header(outgoing.request.headers, name) == value
    assert outgoing.keys_from == (variable,)
    assert outgoing.left_out == ()


def test_a_key_that_was_a_parameter_becomes_a_header() -> None:
    gemini = Upstream(scheme="https", host="generativelanguage.googleapis.com", port=443)
    request = stored(query="alt=sse&key=AIza-old")

    with_key = ready(request, gemini, {"GEMINI_API_KEY": KEY})
    without = ready(request, gemini)

    assert with_key.request.query == without.request.query == "alt=sse"
    assert header(with_key.request.headers, "x-goog-api-key") == KEY
    assert without.lacks_key
    assert without.variables == ("GEMINI_API_KEY", "GOOGLE_API_KEY")


@pytest.mark.parametrize(
    ("upstream", "environ", "lacks_key"),
    [
        (OPENAI, {"OPENAI_API_KEY": KEY}, False),
        (OPENAI, {"OPENAI_API_KEY": ""}, True),
        (OPENAI, {"ANTHROPIC_API_KEY": KEY}, True),
        (LOCAL, {"OPENAI_API_KEY": KEY}, True),
        (LOCAL, {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "http://127.0.0.1:8000/v1"}, False),
        (LOCAL, {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "https://llm.example/v1"}, True),
    ],
)
def test_a_key_goes_to_its_provider_or_to_the_base_url_that_clients_use(
    upstream: Upstream, environ: dict[str, str], lacks_key: bool
) -> None:
    outgoing = ready(stored(("Authorization", "Bearer old")), upstream, environ)

    assert outgoing.lacks_key == lacks_key
    assert (header(outgoing.request.headers, "authorization") is None) == lacks_key


def test_a_given_header_counts_more_than_any_other() -> None:
    request = stored(("Authorization", "Bearer old"), ("User-Agent", "a"))
    given = (("authorization", "Bearer given-1"), ("user-agent", "b"), ("host", "c"))

    headers = ready(request, OPENAI, {"OPENAI_API_KEY": KEY}, given=given).request.headers

    assert [v for n, v in headers if n.lower() in {"authorization", "user-agent", "host"}] == [
        "Bearer given-1",
        "b",
        "c",
    ]


def test_a_request_without_a_body_says_nothing_of_its_length() -> None:
    headers = ready(a_request(method="GET", path="/v1/models")).request.headers

    assert header(headers, "content-length") is None


def test_no_secret_that_could_be_sent_is_in_a_text() -> None:
    given = (("Authorization", "Bearer sk-given-2"), ("x-short", "1"))
    credentials = Credentials(given=given, environ={"OPENAI_API_KEY": KEY})

    masked = credentials.masked(f"Bearer sk-given-2, sk-given-2 and {KEY}: 1 wrong")

    assert masked == "***, *** and ***: 1 wrong"
    assert KEY not in repr(credentials)
