"""Whose playlist a request belongs to: replays of several tests at once, on one port.

A client says so by its base URL, `http://127.0.0.1:8080/_replayproxy/session/TOKEN/v1`,
or by the header `x-replayproxy-session: TOKEN`. Without, all share one.
"""

from dataclasses import replace

from replayproxy.model import Request, header

HEADER = "x-replayproxy-session"
OURS = "/_replayproxy/"
"""What paths begin with that are for us, and for no upstream."""
PATH = f"{OURS}session/"


def split_token(request: Request) -> tuple[str, Request]:
    """The token ("" if there is none), and the request as it is without one.

    >>> request = Request(method="GET", scheme="http", host="127.0.0.1", port=8080,
    ...                   path="/_replayproxy/session/test-7/v1/models")
    >>> token, meant = split_token(request)
    >>> token, meant.path
    ('test-7', '/v1/models')
    """
    if request.path.startswith(PATH):
        token, slash, path = request.path.removeprefix(PATH).partition("/")
        return token, replace(request, path=slash + path or "/")
    return header(request.headers, HEADER) or "", request


def split_path(path: str) -> tuple[str, str]:
    """What of a path names the token, and the rest.

    >>> split_path("/_replayproxy/session/test-7/v1/models"), split_path("/v1/models")
    (('/_replayproxy/session/test-7', '/v1/models'), ('', '/v1/models'))
    """
    if not path.startswith(PATH):
        return "", path
    token, slash, rest = path.removeprefix(PATH).partition("/")
    return PATH + token, slash + rest
