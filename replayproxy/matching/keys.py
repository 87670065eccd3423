"""The match key: one short text that equal requests share.

Keys begin with their version, and with the name of the rules they were made by,
so that keys of several kinds can live side by side: `mk1:...`, `mk1+RULES:...`.
"""

import hashlib
import json

from replayproxy.matching.canonical import Canonical, canonical
from replayproxy.matching.rules import EXACT, MatchRules
from replayproxy.model import Request

VERSION = "mk1"
EXACT_PREFIX = f"{VERSION}:"
"""What the keys of exact matching begin with."""


def match_key(request: Request, rules: MatchRules = EXACT) -> str:
    """The key that requests share which are equal by these rules.

    >>> a = Request(method="POST", scheme="https", host="a", port=443, path="/x",
    ...             body=b'{"n": 1, "m": 2.0}')
    >>> b = Request(method="POST", scheme="http", host="b", port=80, path="/x",
    ...             body=b'{"m":2,"n":1.0}')
    >>> match_key(a) == match_key(b)
    True
    """
    return f"{prefix(rules)}{_digest(rules.applied(canonical(request), request))}"


def prefix(rules: MatchRules) -> str:
    """What all keys of these rules begin with."""
    return f"{VERSION}+{rules.name}:" if rules else EXACT_PREFIX


def _digest(asked: Canonical) -> str:
    digest = hashlib.sha256()
    parts = [_bytes(asked.method), _bytes(asked.path), _bytes(asked.query), _body(asked.body)]
    parts += [_bytes(text) for pair in asked.also for text in pair]
    for part in parts:
        digest.update(len(part).to_bytes(8))
        digest.update(part)
    return digest.hexdigest()[:40]


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _body(body: object) -> bytes:
    if isinstance(body, bytes):
        return body
    return json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
