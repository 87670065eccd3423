"""`replayproxy.toml`, beside the database: what a team wants for all its replays.

[match]
ignore = ["$.metadata.request_id"]
normalize = ["uuid", "build-\\d+=build-N"]
on = ["header:x-tenant"]
"""

import tomllib
from collections.abc import Iterable
from pathlib import Path

from replayproxy.errors import UsageError
from replayproxy.matching import MatchRules, parse_normalize

NAME = "replayproxy.toml"
_KNOWN = ("ignore", "normalize", "on")


def match_rules(
    database: Path,
    *,
    ignore: Iterable[str] = (),
    normalize: Iterable[str] = (),
    on: Iterable[str] = (),
) -> MatchRules:
    """The rules of the file, if there is one, and these.

    Raises:
        UsageError: a rule makes no sense, or the file does not.
    """
    path = database.parent / NAME
    found = _read(path)
    try:
        return MatchRules(
            ignore=(*found["ignore"], *ignore),
            normalize=tuple(parse_normalize(text) for text in (*found["normalize"], *normalize)),
            on=tuple(one.strip() for text in (*found["on"], *on) for one in text.split(",")),
        )
    except UsageError as error:
        if any(found.values()):
            raise UsageError(f"{error} (options, and [match] in {path})") from error
        raise


def _read(path: Path) -> dict[str, list[str]]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        text = ""
    except (OSError, UnicodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
    try:
        settings = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not TOML: {error}") from error
    match = settings.pop("match", {})
    if not isinstance(match, dict):
        settings, match = {"match": match}, {}
    unknown = [*settings, *(f"match.{name}" for name in match if name not in _KNOWN)]
    if unknown:
        raise UsageError(
            f"{path}: {', '.join(unknown)} is not known. "
            f"There is one table, [match], with: {', '.join(_KNOWN)}."
        )
    for name in _KNOWN:
        value = match.setdefault(name, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise UsageError(f"{path}: match.{name} must be a list of texts.")
    return match
