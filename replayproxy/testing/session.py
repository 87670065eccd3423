"""One cassette in use: by the fixture, or by `with replayproxy.cassette(...)`."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from replayproxy import cassettes
from replayproxy.address import url_of
from replayproxy.cassettes import Cassette, Deck
from replayproxy.errors import CassetteError
from replayproxy.home import ca_file
from replayproxy.serving.player import Played
from replayproxy.testing import environment
from replayproxy.testing.exchanges import SeenExchange
from replayproxy.testing.guard import Guard, guarding
from replayproxy.testing.keeping import keep
from replayproxy.testing.serving import ServedCassette
from replayproxy.testing.settings import Mode, NamedUpstream, Settings

if TYPE_CHECKING:
    from replayproxy.testing.recorder import Recorder


@dataclass(slots=True, kw_only=True)
class Result:
    """What came of a use of a cassette.

    Attributes:
        playable: how many exchanges it has that can answer.
        played: the numbers of those that did, each as often as it did.
        misses: what was not there, one a request.
        refused: hosts that a client wanted to reach by a way of its own.
        avoided: what the replayed exchanges had cost, in dollars.
        recorded: how many exchanges were recorded.
    """

    settings: Settings
    playable: int = 0
    played: list[int] = field(default_factory=list)
    misses: list[Played] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    avoided: Decimal = Decimal(0)
    recorded: int = 0


class CassetteSession:
    """What a test has in its hands.

    Attributes:
        mode: `replay` or `record`: what is done, not what was asked for.
        base_urls: for clients, by the name of the upstream.
        api_key: for clients; the real one only while recording.
        env: the variables that are set for the test; for children that get their own.
        passed: set to False if the test failed: a cassette that is there stays as it is.
    """

    def __init__(self, settings: Settings) -> None:
        self.passed = True
        self.note: str | None = None
        self._settings = settings
        self._stack = ExitStack()
        self._recorder: Recorder | None = None
        self._served: list[ServedCassette] = []
        self._deck: Deck | None = None
        self._guard = Guard(settings.upstreams)
        self._proxy_url: str | None = None
        self._recorded: int | None = None
        self._inherited = environment.inherited()
        self.mode = Mode.RECORD if settings.records else Mode.REPLAY
        with ExitStack() as on_error:
            on_error.callback(self._stack.close)
            origins = self._record() if settings.records else self._replay()
            self.base_urls = {
                upstream.name: origins[upstream.name] + upstream.address.path
                for upstream in settings.upstreams
            }
            live = self.mode is Mode.RECORD
            main = settings.upstreams[0]
            self.api_key = environment.api_key(main, live=live, inherited=self._inherited)
            self.env = environment.variables(self.base_urls, live=live, inherited=self._inherited)
            self._stack.enter_context(environment.applied(self.env))
            if not live:
                self._stack.enter_context(guarding(self._guard))
            on_error.pop_all()

    def __repr__(self) -> str:
        return f"<replayproxy {self.mode}: {self._settings.path}>"

    @property
    def base_url(self) -> str:
        """For clients of the first upstream."""
        return self.base_urls[self._settings.upstreams[0].name]

    @property
    def proxy_url(self) -> str:
        """For clients that only know `HTTPS_PROXY`."""
        if self._proxy_url is None:
            if self._recorder:
                self._proxy_url = self._recorder.start(None)
            else:
                self._served[0].take_tunnels()
                self._proxy_url = url_of("127.0.0.1", self._served[0].port)
        return self._proxy_url

    @property
    def ca_file(self) -> Path:
        """The certificate that clients of `proxy_url` have to trust."""
        return ca_file()

    @property
    def exchanges(self) -> list[SeenExchange]:
        """What was asked so far and what came back, in the order of the requests."""
        if self._recorder:
            tracks = self._recorder.tracks_when_quiet()
            return [
                SeenExchange(
                    number=number,
                    asked=track.exchange.request,
                    answered=track.exchange,
                    chunks=track.chunks,
                )
                for number, track in enumerate(tracks, 1)
            ]
        return [
            SeenExchange(
                number=played.hit.exchange.id or 0,
                asked=played.request,
                answered=played.hit.exchange,
                chunks=played.hit.chunks,
            )
            for played in self._played()
            if played.hit
        ]

    @property
    def cost(self) -> Decimal:
        """What the exchanges so far cost (or cost when they were recorded), as far as known."""
        return sum((e.cost for e in self.exchanges if e.cost is not None), Decimal(0))

    @property
    def unplayed(self) -> list[SeenExchange]:
        """What the cassette has, and nobody asked for yet."""
        if self._deck is None:
            return []
        played = set(self.result().played)
        found = [(n, self._deck.exchange(n)) for n in self._deck.playable if n not in played]
        return [
            SeenExchange(number=n, asked=e.request, answered=e, chunks=self._deck.chunks(n))
            for n, e in found
        ]

    def result(self) -> Result:
        """What came of it so far."""
        result = Result(settings=self._settings, refused=list(self._guard.refused))
        if self._deck:
            result.playable = len(self._deck.playable)
        for played in self._played():
            if played.hit:
                result.played.append(played.hit.exchange.id or 0)
                result.avoided += played.hit.exchange.cost_usd or 0
            else:
                result.misses.append(played)
        result.recorded = self._recorded or 0
        return result

    def close(self) -> None:
        """End it; a recording goes into its cassette.

        Raises:
            ReplayproxyError: something was not recorded, or may not be written.
        """
        with self._stack:
            if self._recorder:
                tracks = self._recorder.stop()
                self._recorded = len(tracks)
                names = environment.secrets(self._settings.upstreams, self._inherited)
                self.note = keep(self._settings, tracks, secrets=names, passed=self.passed)

    def _record(self) -> dict[str, str]:
        from replayproxy.testing.recorder import Recorder  # a replay needs no database

        self._recorder = Recorder()
        self._stack.callback(self._recorder.close)
        return {u.name: self._recorder.start(u) for u in self._settings.upstreams}

    def _replay(self) -> dict[str, str]:
        settings = self._settings
        self._deck = Deck(
            _read(settings), path=settings.path, name=settings.name, rules=settings.rules
        )
        return {u.name: self._serve(self._deck, u) for u in settings.upstreams}

    def _serve(self, deck: Deck, upstream: NamedUpstream) -> str:
        served = ServedCassette(deck, upstream, self._settings)
        self._stack.callback(served.close)
        self._served.append(served)
        return url_of("127.0.0.1", served.port)

    def _played(self) -> list[Played]:
        return [played for served in self._served for played in served.played()]


def _read(settings: Settings) -> Cassette:
    """What the cassette says; one that is not there holds nothing."""
    if not settings.path.exists():
        return Cassette()
    try:
        return cassettes.read(settings.path).cassette
    except CassetteError as error:
        again = f"{error.hint} Or record it again: {settings.record_command or ''}".strip()
        raise CassetteError(path=error.path, reason=error.reason, hint=again) from error


@contextmanager
def opened(settings: Settings) -> Iterator[CassetteSession]:
    """A session for the length of a `with` block; one that ended in an error did not pass."""
    session = CassetteSession(settings)
    try:
        yield session
    except BaseException:
        session.passed = False
        raise
    finally:
        session.close()
