"""A cassette as a replay sees it, in memory: what may answer a request, and what is like it.

The same questions that `store.Library` answers from a database, for a file of tens of
exchanges: read in a millisecond, and nothing is left behind.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from replayproxy.cassettes import heads
from replayproxy.cassettes.track import Cassette, derived
from replayproxy.content_coding import Decoder
from replayproxy.errors import UsageError
from replayproxy.matching import MatchRules, match_key
from replayproxy.model import Chunk, Ending, Exchange, Outcome, Request
from replayproxy.redaction import is_kept

_HEADER = "header:"


@dataclass(frozen=True, slots=True)
class Recorded:
    """The exchanges of one match key, by their numbers, in recorded order."""

    key: str
    hosts: tuple[str, ...]
    numbers: tuple[int, ...]

    @property
    def name(self) -> tuple[str, tuple[str, ...]]:
        """What tells it from others."""
        return self.key, self.hosts

    def after(self, exchange_id: int) -> int | None:
        """The first one later than this."""
        return next((number for number in self.numbers if number > exchange_id), None)

    def last(self) -> int:
        """The last one of all."""
        return self.numbers[-1]

    def count(self) -> int:
        """How many there are."""
        return len(self.numbers)


class Deck:
    """The exchanges of a cassette, numbered from 1. `session.Recordings`, and `Comparable`.

    Attributes:
        path: of the cassette, for messages.
        playable: the numbers of those that can answer.

    Raises:
        UsageError: the rules need what a text cassette does not keep.
    """

    def __init__(self, cassette: Cassette, *, path: Path, name: str, rules: MatchRules) -> None:
        for what in rules.on:
            if what.startswith(_HEADER) and not is_kept(what.removeprefix(_HEADER).strip()):
                raise UsageError(
                    f"--match-on {what}: a text cassette does not keep this header, "
                    "which may be a secret. Replay from a database instead."
                )
        self.path = path
        self._tracks = cassette.tracks
        self._name = name
        self._exchange = lru_cache(maxsize=None)(self._derived)
        self.playable = tuple(
            number for number in range(1, len(self._tracks) + 1) if self._is_playable(number)
        )
        self._by_key: dict[str, list[int]] = {}
        for some in dict.fromkeys((rules.strict, rules)):
            for number in self.playable:
                key = match_key(self._tracks[number - 1].exchange.request, some)
                self._by_key.setdefault(key, []).append(number)

    def as_stored(self, request: Request) -> Request:
        """The request as it would stand in the cassette."""
        return heads.hidden(request)

    def recorded(self, key: str, *, cassette: str, prefer: Iterable[str]) -> Recorded | None:
        """What may answer this key; of the preferred hosts, if they have any."""
        numbers = self._by_key.get(key, [])
        hosts = {number: self._tracks[number - 1].exchange.request.host for number in numbers}
        preferred = set(prefer) & set(hosts.values()) or set(hosts.values())
        found = tuple(number for number in numbers if hosts[number] in preferred)
        return Recorded(key, tuple(sorted(preferred)), found) if found else None

    def recording(self, exchange_id: int) -> tuple[Exchange, tuple[Chunk, ...]]:
        """One exchange and its chunks."""
        return self.exchange(exchange_id), self.chunks(exchange_id)

    def exchange(self, exchange_id: int) -> Exchange:
        """One exchange, with all that follows from its bytes."""
        return self._exchange(exchange_id)

    def chunks(self, exchange_id: int) -> tuple[Chunk, ...]:
        """Its chunks."""
        return self._tracks[exchange_id - 1].chunks

    def comparable(self, request: Request, *, cassette: str) -> list[Exchange]:
        """What a miss is compared with: what was asked of the same path, or else all."""
        exchanges = [
            replace(self._tracks[number - 1].exchange, id=number)
            for number in reversed(self.playable)
        ]
        return [e for e in exchanges if e.request.path == request.path] or exchanges

    def _is_playable(self, number: int) -> bool:
        if self._tracks[number - 1].exchange.ending is not Ending.INTERRUPTED:
            return True
        return self._exchange(number).outcome is Outcome.COMPLETED

    def _derived(self, number: int) -> Exchange:
        found = derived(self._tracks[number - 1], Decoder)
        return replace(found, id=number, cassette=self._name)
