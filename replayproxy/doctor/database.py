"""The database: whether it is whole, safe, and has room."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from replayproxy.doctor.finding import Finding, Level
from replayproxy.errors import DatabaseError
from replayproxy.store.condition import Condition, condition, keys_in_bodies

_SUBJECT = "database"
_NEWEST = 200
_LITTLE = 500_000_000
_LARGE_WAL = 64_000_000
_MB = 1_000_000


def database(path: Path) -> Iterator[Finding]:
    """All there is to say of the file."""
    if not path.exists():
        yield Finding(subject=_SUBJECT, text=f"{path} is not there yet: made on first use")
        return
    try:
        found = condition(path)
    except DatabaseError as error:
        yield Finding(
            subject=_SUBJECT, level=Level.PROBLEM, text=f"{path}: {error.reason}", todo=error.hint
        )
        return
    yield Finding(
        subject=_SUBJECT,
        text=f"{path}: {found.exchanges:,} exchange{'s' * (found.exchanges != 1)}, "
        f"{found.size / _MB:.1f} MB, "
        f"{found.free / _MB:,.0f} MB free on its disk",
    )
    yield from _wrong(path, found)
    yield _clock(found.newest, datetime.now(UTC))
    if not found.damages and not found.behind:
        yield from _keys(path)


def _wrong(path: Path, found: Condition) -> Iterator[Finding]:
    def problem(text: str, todo: str, level: Level = Level.PROBLEM) -> Finding:
        return Finding(subject=_SUBJECT, level=level, text=text, todo=todo)

    if found.damages:
        yield problem(
            f"it is damaged: {'; '.join(found.damages)}",
            f"sqlite3 {path} .recover | sqlite3 recovered.db",
        )
    if found.mode & 0o077:
        yield problem(f"others can read it (mode {found.mode:o})", f"chmod 600 {path}")
    if found.free < _LITTLE:
        yield problem(
            "its disk is nearly full: what then comes is not recorded",
            f"replayproxy prune --db {path} --max-size 500MB",
        )
    if found.behind:
        yield problem(
            "it was written by an older replayproxy",
            "Nothing: the next command brings it up to date.",
            Level.NOTE,
        )
    if found.wal_size > _LARGE_WAL:
        yield problem(
            f"its write-ahead log has {found.wal_size / _MB:,.0f} MB: a reader keeps it open",
            "End programs that have the file open for long.",
            Level.NOTE,
        )
    if found.interrupted:
        yield problem(
            f"{found.interrupted:,} exchanges are interrupted: their recorder was killed",
            "Nothing: they are shown, and not replayed.",
            Level.NOTE,
        )


def _clock(newest: datetime | None, now: datetime) -> Finding:
    """Whether it goes on from what was recorded."""
    if newest and newest - now > timedelta(minutes=1):
        return Finding(
            subject="clock",
            level=Level.PROBLEM,
            text=f"it says {now:%Y-%m-%d %H:%M} UTC, but there are recordings of a later time",
            todo="Set the clock: an exchange is priced by its day.",
        )
    return Finding(subject="clock", text=f"{now:%Y-%m-%d %H:%M} UTC")


def _keys(path: Path) -> Iterator[Finding]:
    try:
        tally = keys_in_bodies(path, newest=_NEWEST)
    except DatabaseError as error:
        yield Finding(subject=_SUBJECT, level=Level.PROBLEM, text=error.reason, todo=error.hint)
        return
    if tally.exchanges:
        yield Finding(
            subject=_SUBJECT,
            level=Level.NOTE,
            text=f"{tally.exchanges:,} of its newest {_NEWEST} exchanges hold what looks like keys "
            f"in their bodies ({', '.join(sorted(tally.kinds))})",
            todo="Renew those keys if others get the file; replayproxy delete ID, "
            "record --no-bodies.",
        )
