"""API keys that stand in bodies, known by their shape: said to the user, never rewritten.

Looking is linear and cheap, since it is done to everything that is recorded: a
few characters that every key of a group has are looked for first. A key that a
model writes token by token lies in pieces, one an event, and is not found.
"""

import re

LONGEST = 256
"""Keys up to this length are found across the borders of what is fed to a `KeyScan`."""

_SLICE = 64 * 1024

# A key does not begin inside a word, but may follow an escape in a JSON string (`\n`, `\u0022`).
_START = re.compile(rb"(?<![A-Za-z0-9+/_-])|(?<=\\[bfnrt])|(?<=\\u[0-9A-Fa-f]{4})")
_END = rb"(?![A-Za-z0-9_-])"

# What to look for first: the shapes it can belong to. These begin with fixed letters, which
# makes their search fast, and a part without a limit cannot hold another beginning, or else
# takes all that _END forbids: no text makes it slow.
_SHAPES = {
    rb"A(?:KIA|SIA|Iza)": {
        "aws access key": rb"A(?:KIA|SIA)[A-Z2-7]{16}",
        "google api key": rb"AIza[A-Za-z0-9_-]{35}",
    },
    rb"-(?:(?<=sk-)|(?<=xai-)|(?<=plx-)|(?<=pat-)|(?<=xox[abeprs]-))": {
        "openai key": rb"sk-(?:(?:proj|svcacct|admin)-[A-Za-z0-9_-]{40,}|[A-Za-z0-9]{48})",
        "anthropic key": rb"sk-ant-[a-z]{3,5}\d\d-[A-Za-z0-9_-]{60,}",
        "aigateway key": rb"sk-aig-[A-Za-z0-9_-]{12,}",
        "openrouter key": rb"sk-or-v1-[0-9a-f]{64}",
        "deepseek key": rb"sk-[0-9a-f]{32}",
        "xai key": rb"xai-[A-Za-z0-9]{80}",
        "perplexity key": rb"pplx-[A-Za-z0-9]{48}",
        "gitlab token": rb"glpat-[A-Za-z0-9_-]{20,}",
        "slack token": rb"xox[abeprs]-(?:\d-)?[A-Za-z0-9]{8,20}-[A-Za-z0-9-]{8,200}",
    },
    rb"_(?:(?<=gh[pousr]_)|(?<=hub_pat_)|(?<=hf_)|(?<=gsk_)|(?<=live_)|(?<=whsec_))": {
        "github token": rb"g(?:h[pousr]_[A-Za-z0-9]{36,}|ithub_pat_[A-Za-z0-9_]{82})",
        "huggingface token": rb"hf_[A-Za-z0-9]{34,}",
        "groq key": rb"gsk_[A-Za-z0-9]{52}",
        "stripe key": rb"sk_live_[A-Za-z0-9]{24,}",
        "webhook secret": rb"whsec_[A-Za-z0-9+/]{24,}",
    },
    rb"PRIVATE KEY-----": {
        "private key": rb"-----BEGIN (?:[A-Z0-9]{1,12} ){0,2}PRIVATE KEY-----",
    },
}
_GROUPS = tuple(
    (
        re.compile(hint),
        tuple((name, re.compile(shape + _END)) for name, shape in shapes.items()),
    )
    for hint, shapes in _SHAPES.items()
)


def key_shapes(data: bytes) -> set[str]:
    r"""What kinds of keys the data seems to hold.

    >>> key_shapes(b'{"content": "AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE\\n"}')
    {'aws access key'}
    >>> key_shapes(b"a task-oriented AKIA")
    set()
    """
    return {
        name
        for hint, shapes in _GROUPS
        if hint.search(data)
        for name, shape in shapes
        if any(_START.match(data, found.start()) for found in shape.finditer(data))
    }


class KeyScan:
    """The same for data that comes in pieces, however they are cut.

    Attributes:
        found: what it seems to hold so far.
    """

    __slots__ = ("_tail", "found")

    def __init__(self) -> None:
        self.found: set[str] = set()
        self._tail = b""

    def feed(self, data: bytes) -> None:
        """Look at the next piece, in slices: one search of megabytes would halt other threads."""
        for start in range(0, len(data), _SLICE):
            piece = self._tail + data[start : start + _SLICE]
            self.found |= key_shapes(piece)
            self._tail = piece[-LONGEST:]


class KeyTally:
    """How many exchanges hold what looks like keys, and of which kinds."""

    __slots__ = ("exchanges", "kinds")

    def __init__(self) -> None:
        self.exchanges = 0
        self.kinds: set[str] = set()

    def add(self, found: set[str]) -> None:
        """Count one exchange, if anything was found in it."""
        self.exchanges += bool(found)
        self.kinds |= found
