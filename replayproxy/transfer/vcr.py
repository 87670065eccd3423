"""Cassettes of VCR.py (and pytest-recording), YAML or JSON, as its versions 1 to 9 write them.

Format: https://vcrpy.readthedocs.io, `version: 1`, a list of `interactions`. It keeps no
time at all, no reason why a stream broke, and, with `decode_compressed_response`, no
wire bytes.
"""

from typing import Any

from replayproxy.cassettes import Track, data_yaml
from replayproxy.cassettes.events import from_base64
from replayproxy.errors import CassetteError
from replayproxy.model import Headers
from replayproxy.transfer.foreign import Answered, Imported, a_request, a_track, pairs

UNKNOWN = "no timing, no chunk borders, no date but that of a Date header"


def loads(text: str) -> Imported:
    """What the file holds.

    Raises:
        CassetteError: it is no cassette of VCR.py.
    """
    try:
        data = data_yaml.parse(text, lenient=True)
    except data_yaml.NotDataError as error:
        raise CassetteError(path=None, reason=str(error)) from error
    interactions = data.get("interactions") if isinstance(data, dict) else None
    if not isinstance(interactions, list):
        raise CassetteError(path=None, reason="it has no list of interactions")
    imported = Imported(unknown=UNKNOWN)
    for interaction in interactions:
        try:
            imported.tracks.append(_track(interaction))
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            imported.skip(f"not as VCR.py writes it ({error!r})"[:120])
    return imported


def _track(interaction: Any) -> Track:
    asked, answered = interaction["request"], interaction["response"]
    status = answered["status"]
    request = a_request(
        str(asked.get("method", "GET")),
        asked["uri"],
        version="HTTP/1.1",
        headers=_headers(asked.get("headers")),
        body=_body(asked.get("body")),
    )
    answer = Answered(
        status=int(status["code"]),
        reason=str(status.get("message") or ""),
        http_version="HTTP/1.1",
        headers=_headers(answered.get("headers")),
        body=_body(answered.get("body")),
    )
    return a_track(request, answer, started_at=None)


def _headers(found: Any) -> Headers:
    """Each name with its value, or with a list of them."""
    return pairs(
        [
            (name, value)
            for name, values in (found or {}).items()
            for value in (values if isinstance(values, list) else [values])
        ]
    )


def _body(found: Any) -> bytes:
    match found:
        case None:
            return b""
        case bytes():
            return found
        case str():
            return found.encode()
        case {"base64_string": str(text)}:
            return from_base64(text)
        case {"string": inner}:
            return _body(inner)
        case dict() | list():  # `before_record` hooks leave such things
            raise TypeError(f"a body that is a {type(found).__name__}")
        case _:
            return str(found).encode()
