"""What was recorded goes into its cassette, whoever else of this run writes there, too."""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from replayproxy import cassettes
from replayproxy.cassettes import Cassette, Track
from replayproxy.errors import CassetteError
from replayproxy.matching import match_key
from replayproxy.testing.settings import Mode, Settings

_LOCK = "cassettes.db"
_PATIENCE_S = 60.0


def keep(
    settings: Settings, tracks: Iterable[Track], *, secrets: Iterable[str], passed: bool
) -> str | None:
    """Write the cassette; says why if it was left as it is.

    Raises:
        CassetteError: it cannot be written, or may not: there are keys in it.
    """
    path = settings.path
    new = Cassette(tracks=tuple(tracks), recorded=datetime.now(UTC).date())
    _check(path, new, secrets, with_keys=settings.with_keys)
    with _turn(settings.run, path) as is_first:
        old = _read(path, forgiving=is_first and settings.mode is Mode.RERECORD)
        if old is None:
            if new.tracks:
                cassettes.write(path, new)
            return None
        if not passed:
            return f"{path} was left as it is, since the test failed"
        kept = _merged(new, old, settings) if is_first else _added(new, old)
        if kept != old:
            cassettes.write(path, kept)
    return None


def _merged(new: Cassette, old: Cassette, settings: Settings) -> Cassette:
    settled = cassettes.settled(new, old)
    replaces = settings.own or settings.mode is Mode.RERECORD
    return settled if replaces else cassettes.joined(settled, old)


def _added(new: Cassette, old: Cassette) -> Cassette:
    """What another test of this run has written, and of the new what it does not have as often."""
    there = Counter(match_key(track.exchange.request) for track in old.tracks)
    more: list[Track] = []
    for track in new.tracks:
        key = match_key(track.exchange.request)
        there[key] -= 1
        if there[key] < 0:
            more.append(track)
    return replace(old, tracks=(*old.tracks, *more)) if more else old


def _check(path: Path, new: Cassette, secrets: Iterable[str], *, with_keys: bool) -> None:
    try:
        if not with_keys:
            cassettes.check_keys(new)
    except CassetteError as error:
        hint = (
            "Nothing was written. Keep keys out of what is sent, or: replayproxy_with_keys = true"
        )
        raise CassetteError(path=path, reason=error.reason, hint=hint) from error
    for secret in secrets:
        data = secret.encode()
        for number, track in enumerate(new.tracks, 1):
            if data in track.body or data in track.exchange.request.body:
                raise CassetteError(
                    path=path,
                    reason=f"exchange {number} has the very API key in its body",
                    hint="Nothing was written.",
                )


def _read(path: Path, *, forgiving: bool) -> Cassette | None:
    """What is there; None: nothing that counts."""
    if not path.exists():
        return None
    try:
        return cassettes.read(path).cassette
    except CassetteError:
        if forgiving:
            return None
        raise


@contextmanager
def _turn(run: Path, path: Path) -> Iterator[bool]:
    """One process at a time; True for the first one of this run that comes with this path."""
    with closing(sqlite3.connect(run / _LOCK, timeout=_PATIENCE_S, isolation_level=None)) as turns:
        turns.execute("BEGIN EXCLUSIVE")
        turns.execute("CREATE TABLE IF NOT EXISTS written (path TEXT PRIMARY KEY)")
        cursor = turns.execute("INSERT OR IGNORE INTO written VALUES (?)", [str(path.resolve())])
        yield cursor.rowcount == 1
        turns.execute("COMMIT")
