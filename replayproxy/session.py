"""One replay session: requests in, recorded exchanges out, each playlist in its order.

Rule: replaying fails closed. What is not found is a `ReplayMiss`, whose message
tells a person what was recorded instead and how to record this.
"""

from dataclasses import dataclass
from typing import Protocol as Interface

from replayproxy.errors import ReplayMiss
from replayproxy.json_text import UNREADABLE, parse_json
from replayproxy.matching import Difference, first_difference, likeness, match_key
from replayproxy.model import Chunk, Exchange, Request
from replayproxy.playback import Playlist, Repeat
from replayproxy.protocols import detect

_CANDIDATES = 200
_SHOWN = 120


class Recordings(Interface):
    """Where recorded exchanges come from (see store.Store)."""

    def playable(self, match_key: str, *, cassette: str) -> list[tuple[int, str]]:
        """Ids and hosts of the exchanges that may answer, in recorded order."""

    def candidates(self, *, cassette: str, path: str, limit: int) -> list[Exchange]:
        """The newest exchanges a miss can be compared with."""

    def exchange(self, exchange_id: int) -> Exchange:
        """One exchange."""

    def chunks(self, exchange_id: int) -> tuple[Chunk, ...]:
        """Its chunks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A recorded answer."""

    exchange: Exchange
    chunks: tuple[Chunk, ...]


class Session:
    """The state of one replay. Its methods are atomic as long as one thread calls them.

    Attributes:
        hits: requests answered so far.
        misses: requests that nothing recorded answers.
    """

    def __init__(
        self,
        recordings: Recordings,
        *,
        cassette: str,
        repeat: Repeat = Repeat.LAST,
        upstream_host: str | None = None,
    ) -> None:
        self.hits = 0
        self.misses = 0
        self._recordings = recordings
        self._cassette = cassette
        self._upstream_host = upstream_host
        self._playlist = Playlist(repeat)

    def answer(self, request: Request) -> Hit:
        """The exchange that answers this request now.

        Raises:
            ReplayMiss: there is none, or all there are were played.
        """
        key = match_key(request)
        found = self._recordings.playable(key, cassette=self._cassette)
        if not found:
            self.misses += 1
            raise ReplayMiss(self._explain(request))
        wanted = {request.host, self._upstream_host}
        hosts = frozenset(host for _, host in found if host in wanted)
        candidates = [exchange_id for exchange_id, host in found if host in hosts or not hosts]
        # each host has its own turn: asking one does not use up the other
        exchange_id = self._playlist.next((key, hosts), candidates)
        if exchange_id is None:
            self.misses += 1
            raise ReplayMiss(
                f"cassette {self._cassette!r} has {len(candidates)} recorded answers for this "
                f"{self._named(request)}, and all were played (--repeat error). "
                "Record more of them, or use --repeat last."
            )
        # the chunks first: if it is deleted meanwhile there is no exchange, never an empty answer
        chunks = self._recordings.chunks(exchange_id)
        hit = Hit(exchange=self._recordings.exchange(exchange_id), chunks=chunks)
        self.hits += 1
        return hit

    def _named(self, request: Request) -> str:
        body = parse_json(request.body) if request.body else UNREADABLE
        model = detect(request.method, request.path).read_request(request.path, body).model
        asked = f"{request.method} {request.path}"
        return f"{model} request ({asked})" if model else f"{asked} request"

    def _explain(self, request: Request) -> str:
        """What was recorded instead: the closest exchange, and where it differs."""
        found = self._recordings.candidates(
            cassette=self._cassette, path=request.path, limit=_CANDIDATES
        )
        start = f"cassette {self._cassette!r} has no exchange for this {self._named(request)}. "
        end = f" Record it with: replayproxy record --cassette {self._cassette}"
        if not found:
            return f"{start}It holds nothing that can be replayed.{end}"
        closest = max(found, key=lambda exchange: likeness(request, exchange.request))
        difference = first_difference(request, closest.request)
        if difference is None:
            return f"{start}Exchange {closest.id} is the closest.{end}"
        return f"{start}The closest, exchange {closest.id}, {_shown(difference)}.{end}"


def _shown(difference: Difference) -> str:
    asked, recorded = (
        text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
        for text in (difference.asked, difference.recorded)
    )
    return f"differs at {difference.path}: asked {asked}, recorded {recorded}"
