"""Whose exchange it is: read from the headers, before anything is redacted."""

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from urllib.parse import parse_qsl

from replayproxy.model import Headers, header

TAG_HEADER = "x-aig-tag"
_RETRY_HEADER = "x-stainless-retry-count"
_REQUEST_ID_HEADERS = ("x-request-id", "request-id", "x-amzn-requestid", "apim-request-id")
_COST_HEADER = "x-cost-cents"
_CREDENTIAL_HEADERS = ("authorization", "x-api-key", "api-key", "x-goog-api-key")

# "OpenAI/Python 1.2.3" (the SDKs' own form), else the first "name/version"
_SDK = re.compile(r"^(?P<sdk>[\w.@-]+/[A-Za-z]+) (?P<version>\d[\w.+-]*)")
_PRODUCT = re.compile(r"^(?P<sdk>[\w.@-]+)/(?P<version>[\w.+-]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """What the request's headers say of its sender. None is "not said"."""

    tag: str | None = None
    sdk: str | None = None
    sdk_version: str | None = None
    traceparent: str | None = None
    retry_count: int | None = None


def attribution(headers: Headers, *, tag_header: str = TAG_HEADER) -> Attribution:
    """Read a request's headers.

    >>> attribution((("User-Agent", "OpenAI/Python 3.54.0"), ("x-aig-tag", "eval"))).sdk
    'OpenAI/Python'
    """
    agent = header(headers, "user-agent") or ""
    product = _SDK.match(agent) or _PRODUCT.match(agent)
    retries = header(headers, _RETRY_HEADER) or ""
    return Attribution(
        tag=header(headers, tag_header),
        sdk=product["sdk"] if product else None,
        sdk_version=product["version"] if product else None,
        traceparent=header(headers, "traceparent"),
        retry_count=int(retries) if retries.isascii() and retries.isdigit() else None,
    )


def credential(headers: Headers, query: str) -> str | None:
    """The API key a request was made with: a secret, only ever to be fingerprinted.

    >>> credential((("Authorization", "Bearer sk-1"),), "")
    'sk-1'
    """
    for name in _CREDENTIAL_HEADERS:
        if value := header(headers, name):
            return value.removeprefix("Bearer ").strip()
    return dict(parse_qsl(query)).get("key")


def request_id(headers: Headers) -> str | None:
    """The id that the provider gave the request, from the response's headers."""
    return next((value for name in _REQUEST_ID_HEADERS if (value := header(headers, name))), None)


def reported_cost_usd(headers: Headers) -> Decimal | None:
    """What the gateway's headers say it charged.

    >>> reported_cost_usd((("X-Cost-Cents", "0.05"),))
    Decimal('0.0005')
    """
    try:
        cents = Decimal(header(headers, _COST_HEADER) or "")
    except InvalidOperation:
        return None
    return cents / 100 if cents.is_finite() and cents >= 0 else None
