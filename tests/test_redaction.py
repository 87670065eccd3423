"""Secrets out of headers and URLs: what is kept is listed, all else cannot be read."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replayproxy.redaction import (
    fingerprint,
    is_kept,
    redact_headers,
    redact_query,
    without_secrets,
)

KEY = b"of this database"

secrets = st.text(st.characters(codec="latin-1"), min_size=12)
names = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=20)


def test_headers_known_to_be_harmless_are_kept_and_all_others_fingerprinted() -> None:
    headers = (
        ("Content-Type", "application/json"),
        ("Authorization", "Bearer sk-1"),
        ("X-RateLimit-Remaining-Requests", "9"),
        ("x-new-thing", "unknown"),
    )

    redacted = redact_headers(headers, key=KEY)

    assert [name for name, _ in redacted] == [name for name, _ in headers]
    assert redacted[0::2] == headers[0::2]
    assert redacted[1] == ("Authorization", fingerprint("Bearer sk-1", key=KEY))
    assert redacted[3] == ("x-new-thing", fingerprint("unknown", key=KEY))


@pytest.mark.parametrize(
    "name",
    """authorization proxy-authorization api-key x-api-key x-goog-api-key cookie set-cookie
    x-amz-security-token openai-organization openai-project x-csrf-token location referer
    x-forwarded-for www-authenticate idempotency-key anthropic-organization-id x-aig""".split(),
)
def test_what_identifies_somebody_is_not_kept(name: str) -> None:
    assert not is_kept(name)
    assert not is_kept(name.title())


@pytest.mark.parametrize(
    "name",
    """Content-Type content-encoding DATE retry-after x-request-id request-id x-aig-tag x-cost-cents
    X-Routing-Model anthropic-version anthropic-beta openai-processing-ms x-stainless-retry-count
    transfer-encoding user-agent""".split(),
)
def test_what_tells_how_it_went_is_kept(name: str) -> None:
    assert is_kept(name)


@given(names, secrets)
def test_no_header_secret_survives(name: str, secret: str) -> None:
    ((kept_name, value),) = redact_headers((("x-secret-" + name, secret),), key=KEY)

    assert kept_name == "x-secret-" + name
    assert re.fullmatch(r"fp:[0-9a-f]{16}", value)
    assert secret not in value


@given(secrets, secrets)
def test_equal_secrets_have_equal_fingerprints_and_others_have_others(one: str, two: str) -> None:
    assert (fingerprint(one, key=KEY) == fingerprint(two, key=KEY)) == (one == two)


def test_with_another_key_the_fingerprint_is_another() -> None:
    assert fingerprint("sk-1", key=b"a") != fingerprint("sk-1", key=b"b")


def test_a_value_that_is_not_utf8_has_a_fingerprint_too() -> None:
    assert fingerprint("\udcff", key=KEY) != fingerprint("\udcfe", key=KEY)


@pytest.mark.parametrize(
    "name",
    """key api_key api-key apiKey x.key token access_token accessToken idToken sig signature
    X-Amz-Signature x-goog-credential secret client_secret clientSecret password pwd auth jwt
    session KEY %6bey api%5fkey""".split(),
)
def test_a_secret_parameter_is_fingerprinted_and_not_matched_by(name: str) -> None:
    query = f"alt=sse&{name}=s3cret&n=1"

    redacted = redact_query(query, key=KEY)

    expected = fingerprint("s3cret", key=KEY).replace(":", "%3A")
    assert redacted == f"alt=sse&{name}={expected}&n=1"
    assert without_secrets(query) == "alt=sse&n=1"


@pytest.mark.parametrize(
    "query",
    [
        "",
        "&",
        "a",
        "a=",
        "=",
        "a=1&&b=%20+%2B",
        "monkey=1",
        "max_tokens=7",
        "keys=a",
        "key",
        "k%=%",
    ],
)
def test_any_other_query_stays_as_it_is_byte_for_byte(query: str) -> None:
    assert redact_query(query, key=KEY) == query


@given(st.text(st.characters(codec="ascii", exclude_characters="&=")), secrets)
def test_no_query_secret_survives(before: str, secret: str) -> None:
    secret = "s3cret" + secret.replace("&", "")

    redacted = redact_query(f"{before}&token={secret}&sig={secret}", key=KEY)

    assert secret not in redacted
    assert redacted.startswith(before + "&token=fp%3A")


@given(st.text())
def test_no_query_makes_it_raise_and_the_order_stays(query: str) -> None:
    before, after = query.split("&"), redact_query(query, key=KEY).split("&")

    assert [p.partition("=")[0] for p in after] == [p.partition("=")[0] for p in before]
    assert set(without_secrets(query).split("&")) <= {*before, ""}


def test_a_redirect_keeps_its_target_but_not_the_secrets_in_it() -> None:
    url = "https://user:pw@files.example/v1/x?expires=60&signature=abc#token=def"

    ((_, kept),) = redact_headers((("Location", url),), key=KEY)

    assert kept.startswith("https://fp%3A")
    assert "@files.example/v1/x?expires=60&signature=fp%3A" in kept
    assert not any(secret in kept for secret in ("user", "pw", "abc", "def"))


def test_positions_in_a_list_are_no_secrets() -> None:
    query = "page_token=3&nextToken=4&pageToken=5&access_token=6"

    assert without_secrets(query) == "page_token=3&nextToken=4&pageToken=5"
