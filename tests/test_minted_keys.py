"""What is stored of answers that hand out a secret."""

import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replayproxy.minted_keys import masked, mints_keys
from replayproxy.model import Request
from tests.builders import a_request

SECRET = "sk-" + "aig-canary0123456789"
STARS = "*" * len(SECRET)


def asked(method: str, path: str, *, host: str = "api.aigateway.sh") -> Request:
    return a_request(method=method, path=path, host=host)


NEW_ACCOUNT = asked("POST", "/v1/sub-accounts")
WEBHOOK = asked("GET", "/v1/webhook-secret")
SIGNED = asked("GET", "/v1/files/jobs/j1/a.mp4/signed")


def stored(body: bytes | object, *, request: Request = NEW_ACCOUNT, status: int = 200) -> bytes:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return masked(data, data, request=request, status=status)


@pytest.mark.parametrize(
    ("method", "path", "mints"),
    [
        ("POST", "/v1/sub-accounts", True),
        ("post", "/v1/sub-accounts/", True),
        ("POST", "/v1/sub%2Daccounts", True),
        ("POST", "/v1/sub-accounts/sa_1/rotate", True),
        ("POST", "/v1/keys", True),
        ("POST", "/v1/keys/key_1/rotate", True),
        ("GET", "/v1/webhook-secret", True),
        ("POST", "/v1/webhook-secret/rotate", True),
        ("GET", "/v1/files/jobs/j1/a.mp4/signed", True),
        ("GET", "/v1/sub-accounts", False),
        ("POST", "/v1/keys/key_1/revoke", False),
        ("DELETE", "/v1/sub-accounts/sa_1", False),
        ("GET", "/v1/files/jobs/j1/a.mp4", False),
        ("POST", "/v1/chat/completions", False),
    ],
)
def test_the_endpoints_are_known_by_method_and_path(method: str, path: str, mints: bool) -> None:
    assert mints_keys(asked(method, path)) is mints


@pytest.mark.parametrize(
    ("host", "mints"),
    [
        ("api.aigateway.sh", True),
        ("API.AIGATEWAY.SH.", True),
        ("aigateway.sh", True),
        ("media.aigateway.sh", True),
        ("notaigateway.sh", False),
        ("api.aigateway.sh.example", False),
        ("localhost", False),
    ],
)
def test_the_endpoints_are_aigateways(host: str, mints: bool) -> None:
    request = asked("POST", "/v1/sub-accounts", host=host)

    assert mints_keys(request) is mints
    assert (
        stored({"key": SECRET}, request=request) == b'{"key": "' + STARS.encode() + b'"}'
    ) == mints


@pytest.mark.parametrize(
    ("request_", "body", "kept"),
    [
        (NEW_ACCOUNT, {"id": "sa_1", "key": "%s"}, {"id": "sa_1", "key": "*"}),
        (
            NEW_ACCOUNT,
            {"data": {"apiKey": "%s", "cap": 5000}},
            {"data": {"apiKey": "*", "cap": 5000}},
        ),
        (NEW_ACCOUNT, {"key": {"value": "%s", "n": 1}}, {"key": {"value": "*", "n": 1}}),
        (NEW_ACCOUNT, {"secret": ["%s", "", None]}, {"secret": ["*", "", None]}),
        (NEW_ACCOUNT, {"key": "%s", "curl": "-H 'X: %s'!"}, {"key": "*", "curl": "-H 'X: *'!"}),
        (WEBHOOK, {"webhook_secret": "%s"}, {"webhook_secret": "*"}),
        (
            WEBHOOK,
            {"secret": "%s", "previous_secret": "%s"},
            {"secret": "*", "previous_secret": "*"},
        ),
        (
            SIGNED,
            {"url": "https://media.aigateway.sh/v1/a.mp4?token=%s&expires=17#x", "expires_in": 60},
            {"url": "https://media.aigateway.sh/v1/a.mp4?token=*&expires=17#x", "expires_in": 60},
        ),
        (
            SIGNED,
            {"url": "/a.mp4?X-Amz-Signature=%s", "sig": "%s"},
            {"url": "/a.mp4?X-Amz-Signature=*", "sig": "*"},
        ),
    ],
)
@pytest.mark.parametrize("secret", ["0123-opaque", "p\u00e4ss\U0001f511w\u00f6rd"])
def test_the_secret_is_masked_and_nothing_else(
    request_: Request, body: object, kept: object, secret: str
) -> None:
    data = json.dumps(body, ensure_ascii=False).replace("%s", secret).encode()
    expected = json.dumps(kept, ensure_ascii=False).replace("*", "*" * len(secret.encode()))

    assert stored(data, request=request_) == expected.encode()


def test_a_key_is_known_by_its_shape_where_its_field_is_not() -> None:
    body = {"id": "sa_1", "credential": SECRET, "hint": f"export KEY={SECRET}"}

    kept = json.loads(stored(body))

    assert kept == {"id": "sa_1", "credential": STARS, "hint": "*" * len(body["hint"])}


def test_of_a_field_that_stands_twice_both_keys_are_masked() -> None:
    body = b'{"key": "%b", "key": "other-secret"}' % SECRET.encode()

    assert stored(body) == b'{"key": "%b", "key": "************"}' % STARS.encode()


@pytest.mark.parametrize(
    "text",
    [r"\u0073k-aig-canary0123456789", r"sk\u002daig-canary0123456789", r"a\"b\\c", "\\ud83d"],
)
def test_a_secret_with_escapes_is_masked_by_the_bytes_of_its_text(text: str) -> None:
    body = b'{"key":"%b","name":"acme\\u0020"}' % text.encode()

    assert stored(body) == b'{"key":"%b","name":"acme\\u0020"}' % (b"*" * len(text))


def test_names_of_fields_are_never_masked() -> None:
    assert stored({"key": "key", "name": "n"}) == b'{"key": "***", "name": "n"}'


WHOLE = json.dumps({"id": "sa_1", "key": SECRET}).encode()


@pytest.mark.parametrize("length", range(1, len(WHOLE)))
def test_of_a_body_that_is_not_whole_nothing_is_kept(length: int) -> None:
    assert stored(WHOLE[:length]) == b"*" * length


@pytest.mark.parametrize(
    "body",
    [
        SECRET.encode(),
        b"<p>" + SECRET.encode(),
        json.dumps(SECRET).encode("utf-16"),
        b"\xef\xbb\xbf" + WHOLE,
        b"\xff" + WHOLE,
        b"[" * 500 + b"]" * 500,
        b"{}",
        b'{"configured": false}',
    ],
)
def test_of_a_success_we_do_not_understand_nothing_is_kept(body: bytes) -> None:
    assert stored(body) == b"*" * len(body)


def test_an_error_without_secrets_is_kept() -> None:
    body = b'{"error": {"message": "no such account"}}'

    assert stored(body, status=404) == body
    assert stored({"error": SECRET}, status=400) == b'{"error": "%b"}' % STARS.encode()
    assert stored(b"", status=204) == b""


def test_an_encoded_body_is_kept_only_if_no_secret_is_inside() -> None:
    def kept(body: bytes, decoded: bytes, status: int) -> bool:
        return masked(body, decoded, request=NEW_ACCOUNT, status=status) == body

    error = b'{"error": "no such account"}'

    assert kept(gzip.compress(error), error, 404)
    assert not kept(gzip.compress(WHOLE), WHOLE, 200)
    assert masked(b"abc", WHOLE, request=NEW_ACCOUNT, status=200) == b"***"
    assert masked(b"abc", b"", request=NEW_ACCOUNT, status=404) == b"***"


values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.integers() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "key", "data", "url"]), inner, max_size=3)
    ),
    max_leaves=9,
)


@given(values, st.text(st.characters(exclude_categories=["Cs"]), min_size=6), st.booleans())
def test_whatever_the_body_its_secret_goes_and_its_length_stays(
    value: object, secret: str, ascii_only: bool
) -> None:
    secret = f"<{secret}>"
    body = json.dumps(
        {"data": value, "key": secret, "note": f"a{secret}b"}, ensure_ascii=ascii_only
    )

    clean = stored(body.encode("utf-8", "surrogatepass"))

    assert len(clean) == len(body.encode("utf-8", "surrogatepass"))
    assert secret.encode() not in clean
    assert json.dumps(secret)[1:-1].encode() not in clean
