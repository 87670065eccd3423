"""One replay session: requests in, recorded exchanges out, each playlist in its order.

Rule: replaying fails closed. What is not found is a `ReplayMiss`, whose message
tells a person what was recorded instead and how to record this.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Protocol as Interface

from replayproxy.errors import NotRecorded, ReplayMiss
from replayproxy.matching import EXACT, MatchRules, canonical, differences, match_key
from replayproxy.model import Chunk, Exchange, Request
from replayproxy.playback import Playlist, Queue, Repeat
from replayproxy.protocols import asked

_PLACES = 5


class Recorded(Queue, Interface):
    """The exchanges that may answer a request."""

    def count(self) -> int:
        """How many there are."""


class Recordings(Interface):
    """Where recorded exchanges come from (see store.Store)."""

    def as_stored(self, request: Request) -> Request:
        """The request as it would have been stored: its secrets are fingerprints."""

    def recorded(self, key: str, *, cassette: str, prefer: Iterable[str]) -> Recorded | None:
        """What may answer this match key; of the preferred hosts, if they have any."""

    def recording(self, exchange_id: int) -> tuple[Exchange, tuple[Chunk, ...]]:
        """One exchange and its chunks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A recorded answer.

    Attributes:
        normalized: where the request differs from the recorded one (the first few
            places): rules made them the same.
    """

    exchange: Exchange
    chunks: tuple[Chunk, ...]
    normalized: tuple[str, ...] = ()


class Session:
    """The state of one replay. Its methods are atomic as long as one thread calls them.

    Attributes:
        hits: requests answered so far; `normalized` of them thanks to rules.
        misses: requests that nothing recorded answers.
    """

    def __init__(
        self,
        recordings: Recordings,
        *,
        cassette: str,
        repeat: Repeat = Repeat.LAST,
        rules: MatchRules = EXACT,
        upstream_host: str | None = None,
    ) -> None:
        self.hits = 0
        self.normalized = 0
        self.misses = 0
        self._recordings = recordings
        self._cassette = cassette
        self._rules = rules
        self._upstream_host = upstream_host
        self._playlists: defaultdict[str, Playlist] = defaultdict(lambda: Playlist(repeat))

    def answer(self, request: Request, *, token: str = "") -> Hit:
        """The exchange that answers this request now.

        What was recorded exactly so comes first; only where nothing was, rules
        may make another recording fit.

        Args:
            token: whose request it is; each token has playlists of its own.

        Raises:
            NotRecorded: nothing answers it.
            ReplayMiss: all that answered it were played.
        """
        stored = self._recordings.as_stored(request) if self._rules.reads_headers else request
        hosts = [host for host in (request.host, self._upstream_host) if host]
        strict, playlist = self._rules.strict, self._playlists[token]
        for rules in dict.fromkeys((strict, self._rules)):
            key = match_key(stored, rules)
            if recorded := self._recordings.recorded(key, cassette=self._cassette, prefer=hosts):
                chosen = playlist.next(recorded, unplayed=rules != strict)
                return self._play(request, recorded, chosen)
        self.misses += 1
        raise NotRecorded(f"cassette {self._cassette!r} has no exchange for this {named(request)}.")

    def _play(self, request: Request, recorded: Recorded, exchange_id: int | None) -> Hit:
        if exchange_id is None:
            self.misses += 1
            raise ReplayMiss(
                f"cassette {self._cassette!r} has {recorded.count()} recorded answers for this "
                f"{named(request)}, and all were played (--repeat error). "
                "Record more of them, or use --repeat last."
            )
        exchange, chunks = self._recordings.recording(exchange_id)
        normalized = self._normalized(request, exchange.request)
        self.hits += 1
        self.normalized += bool(normalized)
        return Hit(exchange=exchange, chunks=chunks, normalized=normalized)

    def _normalized(self, request: Request, recorded: Request) -> tuple[str, ...]:
        if not self._rules:
            return ()
        found = differences(canonical(request), canonical(recorded))
        return tuple(difference.path for difference in islice(found, _PLACES))


def named(request: Request) -> str:
    """A request in a few words: `gpt-4o request (POST /v1/chat/completions)`."""
    model = asked(request).model
    where = f"{request.method} {request.path}"
    return f"{model} request ({where})" if model else f"{where} request"
