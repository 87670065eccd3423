"""What to tell whose request was not recorded: what was instead, and how to go on."""

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol as Interface

from replayproxy.config import CASSETTE, DB
from replayproxy.matching import (
    EXACT,
    Canonical,
    Difference,
    MatchRules,
    Miss,
    canonical,
    explain,
)
from replayproxy.model import Exchange, Request
from replayproxy.session import named

_SHOWN = 120


class Comparable(Interface):
    """Where the exchanges come from that a miss is compared with (see store.Store)."""

    @property
    def path(self) -> Path:
        """The database."""

    def as_stored(self, request: Request) -> Request:
        """The request as it would have been stored: its secrets are fingerprints."""

    def comparable(self, request: Request, *, cassette: str) -> Iterable[Exchange]:
        """The likeliest ones, best first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What there is to say: for a machine, and for a person."""

    miss: Miss
    message: str


def explained(
    request: Request,
    recordings: Comparable,
    *,
    cassette: str,
    rules: MatchRules = EXACT,
    record_command: str | None = None,
) -> Explanation:
    """Why nothing of this cassette answers the request. It takes milliseconds.

    Args:
        record_command: what records it, if that is not `replayproxy record`.
    """
    asked = recordings.as_stored(request)
    found = list(recordings.comparable(request, cassette=cassette))
    miss = explain(
        _counted(asked, rules),
        [(exchange.id or 0, _counted(exchange.request, rules)) for exchange in found],
    )
    closest = next((e.request for e in found if e.id == miss.closest_id), None)
    command = record_command or _record_command(recordings.path, cassette, request, closest)
    parts = [
        f"cassette {cassette!r} has no exchange for this {named(request)}.",
        _instead(miss),
        *_advice(miss),
        f"Record it with: {command}",
    ]
    return Explanation(miss=miss, message=" ".join(parts))


def _counted(request: Request, rules: MatchRules) -> Canonical:
    """What the two are compared by: what is ignored anyway makes no difference."""
    return rules.applied(canonical(request), request)


def _instead(miss: Miss) -> str:
    if miss.closest_id is None:
        return "It holds nothing that can be replayed."
    if miss.difference is None:
        return f"Exchange {miss.closest_id} is the closest."
    return f"The closest, exchange {miss.closest_id}, {_shown(miss.difference)}."


def _advice(miss: Miss) -> Iterable[str]:
    if miss.difference and miss.difference.in_json and miss.alike:
        path = shlex.quote(miss.difference.path)
        yield f"With --ignore {path}, {miss.alike} of {miss.compared} compared would match."


def _record_command(path: Path, cassette: str, asked: Request, closest: Request | None) -> str:
    words = ["replayproxy", "record"]
    if str(path) != DB.default:
        words += [DB.flag, str(path)]
    words += [CASSETTE.flag, cassette]
    if closest and asked.host != closest.host:  # it was asked of us, by our own address
        port = "" if closest.port in {80, 443} else f":{closest.port}"
        words += ["--upstream", f"{closest.scheme}://{closest.host}{port}"]
    return shlex.join(words)


def _shown(difference: Difference) -> str:
    asked, recorded = (
        text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
        for text in (difference.asked, difference.recorded)
    )
    return f"differs at {difference.path}: asked {asked}, recorded {recorded}"
