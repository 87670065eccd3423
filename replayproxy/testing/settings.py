"""How a test wants its cassette: values, from options, ini file and marker."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from replayproxy.address import Upstream, parse_upstream
from replayproxy.errors import UsageError
from replayproxy.matching import EXACT, MatchRules

OPENAI = "openai"
DEFAULT_UPSTREAM = "https://api.openai.com/v1"


class Mode(StrEnum):
    """Whether the network is used.

    Attributes:
        REPLAY: never.
        RECORD: always; what this run asks is renewed in the cassette. Of one that several
            tests share, the rest stays.
        REPLAY_OR_RECORD: only for a cassette that is not there.
        RERECORD: always; the cassette then holds what this run asked, and no more.
    """

    REPLAY = "replay"
    RECORD = "record"
    REPLAY_OR_RECORD = "replay-or-record"
    RERECORD = "rerecord"


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedUpstream:
    """An API, and the name that its environment variables begin with."""

    name: str
    address: Upstream


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What one cassette needs.

    Attributes:
        path: where the cassette is, or will be.
        upstreams: never empty; the first is the main one.
        speed: as `--speed` has it.
        rules: which requests are equal.
        record_command: what a user types to record it.
        own: one test alone uses it: what that does not ask, nobody does.
        with_keys: record even bodies that seem to hold API keys.
        run: a folder that is the same for all processes of a test run.
    """

    path: Path
    mode: Mode = Mode.REPLAY
    upstreams: tuple[NamedUpstream, ...]
    speed: str = "instant"
    rules: MatchRules = EXACT
    record_command: str | None = None
    own: bool = False
    with_keys: bool = False
    run: Path

    @property
    def name(self) -> str:
        """The cassette's name, in messages."""
        return self.path.stem

    @property
    def records(self) -> bool:
        """Whether the network is used for it now."""
        match self.mode:
            case Mode.REPLAY:
                return False
            case Mode.REPLAY_OR_RECORD:
                return not self.path.exists()
            case _:
                return True


def parse_mode(text: str) -> Mode:
    """A mode by its name.

    Raises:
        UsageError: it is none.
    """
    try:
        return Mode(text)
    except ValueError as error:
        raise UsageError(f"{text!r} is no mode. Use one of {', '.join(Mode)}.") from error


def parse_upstreams(texts: Iterable[str]) -> tuple[NamedUpstream, ...]:
    """Upstreams from `URL` or `NAME=URL`, one each.

    >>> [u.name for u in parse_upstreams(["https://api.openai.com/v1", "x=https://x.ai/v1"])]
    ['openai', 'x']

    Raises:
        UsageError: one is no URL, or two have one name.
    """
    found: list[NamedUpstream] = []
    for text in texts:
        name, equals, url = text.partition("=")
        if not equals or "/" in name:
            name, url = OPENAI, text
        if not name.replace("-", "_").isidentifier():
            raise UsageError(f"upstream {text!r}: {name!r} is no name, such as anthropic")
        found.append(NamedUpstream(name=name, address=parse_upstream(url.strip())))
    if not found:
        return parse_upstreams([DEFAULT_UPSTREAM])
    if len({upstream.name for upstream in found}) < len(found):
        raise UsageError(
            "several upstreams of one name: tell them apart, as in anthropic=https://..."
        )
    return tuple(found)
