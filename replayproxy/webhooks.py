"""Deliveries of AIgateway's webhooks: how they are told apart, and how they are signed.

A delivery is signed by `X-Gateway-Signature: t=UNIX,v1=HEX`, HEX being the HMAC-SHA256
of `t.body`. The receiver turns down what is older than five minutes, and what is stored of
the header is only a fingerprint: to be sent again, a delivery is signed afresh.
"""

import hashlib
import hmac

from replayproxy.model import Request, header

SIGNATURE_HEADER = "X-Gateway-Signature"


def is_delivery(request: Request) -> bool:
    """Whether a request, live or stored, came from the gateway's webhooks.

    >>> request = Request(method="POST", scheme="http", host="app", port=80, path="/hook",
    ...                   headers=(("x-gateway-signature", "fp:0123456789abcdef"),))
    >>> is_delivery(request)
    True
    """
    return header(request.headers, SIGNATURE_HEADER) is not None


def signature(secret: str, body: bytes, *, at: int) -> str:
    """What the header says of a body that is sent now.

    Args:
        at: now, in seconds of Unix time.

    >>> signature("whsec", b"{}", at=1700000000)[:20]
    't=1700000000,v1=7d44'
    """
    signed = hmac.new(secret.encode(), b"%d.%b" % (at, body), hashlib.sha256)
    return f"t={at},v1={signed.hexdigest()}"
