"""A cassette as text: versioned, with a checksum for whoever edits by accident.

The checksum is over what the text says, not over its characters: comments, empty lines
and line endings are free. A text without one was written by hand, and is as good.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

from replayproxy.cassettes import data_yaml, exchange_data
from replayproxy.cassettes.track import Cassette, Track
from replayproxy.errors import CassetteError
from replayproxy.key_shapes import key_shapes

VERSION = 1
VERSION_KEY = "replayproxy-cassette"
"""What every cassette has; a file of another kind does not."""

_KNOWN = (VERSION_KEY, "recorded", "checksum", "exchanges")
_HEADING = (
    "# A replayproxy cassette: what was asked of an API, and what came back. It may be edited:\n"
    "# take out the line `checksum`, or renew it with `replayproxy cassette seal FILE`.\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What a text says.

    Attributes:
        sealed: it has a checksum (which is right).
        inexact: the numbers of exchanges whose bytes could not be made quite as recorded,
            though they say the same: this zlib compresses in another way.
    """

    cassette: Cassette
    sealed: bool
    inexact: tuple[int, ...] = ()


def dumps(cassette: Cassette) -> str:
    """The text, without secrets in headers and URLs.

    Raises:
        CassetteError: it could not be read again as it is.
    """
    data: dict[str, Any] = {VERSION_KEY: VERSION}
    if cassette.recorded:
        data["recorded"] = cassette.recorded.isoformat()
    data["checksum"] = ""
    data["exchanges"] = [exchange_data.render(track) for track in cassette.tracks]
    data["checksum"] = checksum(data)
    text = _HEADING + "\n- request:".join(data_yaml.render(data).split("\n- request:"))
    if not _same(data_yaml.parse(text), data):
        raise CassetteError(path=None, reason="it holds text that YAML does not keep as it is")
    return text


def loads(text: str, *, check: bool = True) -> Loaded:
    """What the text says; `check=False` lets a wrong checksum pass.

    Raises:
        CassetteError: it is no cassette, or was edited and not sealed.
    """
    try:
        data = data_yaml.parse(text)
    except data_yaml.NotDataError as error:
        raise CassetteError(path=None, reason=str(error)) from error
    found = _checked(data)
    sealed = found.get("checksum") is not None
    if sealed and check and found["checksum"] != checksum(found):
        raise CassetteError(
            path=None,
            reason="it was edited: its checksum is of another text",
            hint="If that was on purpose: replayproxy cassette seal FILE",
        )
    recorded = _day(found.get("recorded"))
    started_at = datetime.combine(recorded or date(1970, 1, 1), time(), UTC)
    tracks: list[Track] = []
    inexact: list[int] = []
    for number, item in enumerate(found.get("exchanges") or [], 1):
        try:
            track, exact = exchange_data.parse(item, started_at=started_at)
        except exchange_data.NotExchangeError as error:
            raise CassetteError(path=None, reason=f"exchange {number}: {error}") from error
        tracks.append(track)
        if not exact:
            inexact.append(number)
    cassette = Cassette(tracks=tuple(tracks), recorded=recorded)
    return Loaded(cassette=cassette, sealed=sealed, inexact=tuple(inexact))


def checksum(data: dict[str, Any]) -> str:
    """Of all but the checksum itself."""
    rest = {name: value for name, value in data.items() if name != "checksum"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def key_kinds(cassette: Cassette) -> dict[int, set[str]]:
    """What looks like API keys in the bodies: kinds by the number of the exchange, from 1."""
    found = {
        number: key_shapes(track.exchange.request.body) | key_shapes(track.body)
        for number, track in enumerate(cassette.tracks, 1)
    }
    return {number: kinds for number, kinds in found.items() if kinds}


def check_keys(cassette: Cassette) -> None:
    """Refuse what seems to hold API keys: files get committed.

    Raises:
        CassetteError: a body does.
    """
    found = key_kinds(cassette)
    if found:
        places = "; ".join(f"exchange {n}: {', '.join(sorted(k))}" for n, k in found.items())
        raise CassetteError(
            path=None,
            reason=f"bodies seem to hold API keys ({places})",
            hint="Nothing was written. Keep keys out of what the app sends, or write them all "
            "the same: --with-keys",
        )


def _checked(data: object) -> dict[str, Any]:
    if not isinstance(data, dict) or VERSION_KEY not in data:
        raise CassetteError(path=None, reason=f"it is no cassette: {VERSION_KEY} is missing")
    if data[VERSION_KEY] != VERSION:
        raise CassetteError(
            path=None,
            reason=f"it is of version {data[VERSION_KEY]!r}, and this replayproxy reads {VERSION}",
            hint="Upgrade with: pip install --upgrade replayproxy",
        )
    if unknown := [name for name in data if name not in _KNOWN]:
        names = ", ".join(map(repr, unknown))
        raise CassetteError(path=None, reason=f"{names}: not known; known are {', '.join(_KNOWN)}")
    if not isinstance(data.get("exchanges") or [], list):
        raise CassetteError(path=None, reason="exchanges must be a list")
    return data


def _day(value: object) -> date | None:
    if value is None:
        return None
    try:
        return date.fromisoformat(str(value))
    except ValueError as error:
        raise CassetteError(
            path=None, reason=f"recorded must be a date such as 2026-01-31, not {value!r}"
        ) from error


def _same(a: object, b: object) -> bool:
    """As JSON has it: 1 is not 1.0, nor true."""
    return json.dumps(a) == json.dumps(b)
