"""Whether a proxy of ours is there: `GET /_replayproxy/health`, on every port that it serves.

Such a request is answered by us, whatever host it names; it is never recorded, and
never goes upstream.
"""

import json

from replayproxy import __version__
from replayproxy.isolation import OURS

PATH = f"{OURS}health"

_PATIENCE_S = 1.0


def is_health(method: str, path: str) -> bool:
    """Whether this request asks for it.

    >>> is_health("GET", "/_replayproxy/health"), is_health("POST", "/_replayproxy/health")
    (True, False)
    """
    return path.partition("?")[0] == PATH and method in {"GET", "HEAD"}


def answer(command: str) -> bytes:
    """The body: JSON."""
    said = {"status": "ok", "command": command, "version": __version__}
    return json.dumps(said).encode() + b"\n"


def command_at(url: str) -> str | None:
    """Which command of ours answers there; None: none does."""
    import urllib.request

    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(url + PATH, timeout=_PATIENCE_S) as answer:
            return str(json.load(answer)["command"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
