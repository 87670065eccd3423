"""A replay, put together: database, session, player and the log of what was replayed."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from replayproxy import config
from replayproxy.explaining import explained
from replayproxy.matching import EXACT, MatchRules
from replayproxy.model import header
from replayproxy.playback import ORIGINAL, Pace, Repeat
from replayproxy.protocols import asked
from replayproxy.serving.player import Exits, Forward, Played, Player
from replayproxy.session import Session
from replayproxy.store import Library, Replayed, ReplayLog, Store
from replayproxy.telemetry.spans import Playing
from replayproxy.telemetry.starting import start


@contextmanager
def opened(
    db: Path,
    *,
    cassette: str,
    repeat: Repeat = Repeat.LAST,
    pace: Pace = ORIGINAL,
    rules: MatchRules = EXACT,
    keep_log: bool = True,
    on_played: Callable[[Played], None] = lambda played: None,
    cache_write: str = config.OTEL_CACHE_WRITE.default,
    on_progress: Callable[[int, int], None] = lambda done, of_all: None,
    forward: Forward | None = None,
    exits: Exits | None = None,
) -> Iterator[tuple[Player, Session]]:
    """A player for the length of a `with` block.

    Args:
        on_played: is told of every request once it is over.
        cache_write: as the option `--otel-cache-write` has it.
        on_progress: is told (done, of all) while the keys of new rules are made.
        forward: where misses go; without it nowhere.
        exits: where requests go that are no part of the replay; without it nowhere.

    Raises:
        DatabaseError: the database cannot be used.
    """
    with ExitStack() as stack:
        log = ReplayLog(db) if keep_log else None
        if log:  # closed last, when nobody reads the file any more: its WAL goes into it
            stack.callback(log.close)
        telemetry = start(lambda: Store(db), cache_write=cache_write)
        if telemetry:
            stack.callback(telemetry.close)
        library = stack.enter_context(Library(db))
        library.prepare(rules, cassette=cassette, on_progress=on_progress)
        session = Session(library, cassette=cassette, repeat=repeat, rules=rules)
        # a connection of its own: misses are explained in another thread
        other = stack.enter_context(Library(db))

        def note(played: Played) -> None:
            if log or telemetry:
                replayed = _as_replayed(played, cassette)
                if log:
                    log.add(replayed)
                if telemetry and replayed.exchange:
                    telemetry.add(replayed.exchange, replayed.playing)
            on_played(played)

        player = Player(
            session,
            pace=pace,
            explain=partial(explained, recordings=other, cassette=cassette, rules=rules),
            on_played=note,
            forward=forward,
            exits=exits,
        )
        stack.callback(player.close)
        yield player, session


def _as_replayed(played: Played, cassette: str) -> Replayed:
    request, hit, miss = played.request, played.hit, played.miss
    now = datetime.now(UTC)
    return Replayed(
        replayed_at=now,
        cassette=cassette,
        session=played.session,
        result=played.passed_on or ("hit" if hit else "miss" if miss else "error"),
        method=request.method,
        host=request.host,
        path=request.path,
        request_model=hit.exchange.request_model if hit else asked(request).model,
        exchange_id=hit.exchange.id if hit else None,
        normalized=hit.normalized if hit else (),
        late_ms=None if played.late_s is None else round(played.late_s * 1e3, 3),
        closest_id=miss.closest_id if miss else None,
        message=played.message,
        exchange=hit.exchange.without_body() if hit else None,
        playing=_playing(played, now) if hit else None,
    )


def _playing(played: Played, now: datetime) -> Playing:
    """When it was played: it has just ended. To the microsecond, as it is stored."""
    duration_us = round((played.duration_s or 0.0) * 1e6)
    return Playing(
        started_at=now - timedelta(microseconds=duration_us),
        duration_ns=duration_us * 1000,
        traceparent=header(played.request.headers, "traceparent"),
    )
