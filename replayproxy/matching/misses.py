"""Why nothing recorded answers a request: the closest exchange, and what to do."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from replayproxy.matching.canonical import Canonical
from replayproxy.matching.differences import ABSENT, Difference, differences

_COUNTED = 50
"""Two requests that differ in more places have little in common."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Miss:
    """What a request that was not recorded is like.

    Attributes:
        closest_id: the exchange that differs least; None: there is nothing to compare with.
        difference: the first place where it differs from that exchange; None: nowhere.
        compared: how many exchanges were looked at.
        alike: how many of them differ at that place only.
    """

    closest_id: int | None = None
    difference: Difference | None = None
    compared: int = 0
    alike: int = 0


def explain(asked: Canonical, recorded: Iterable[tuple[int, Canonical]]) -> Miss:
    """Compare with these exchanges, of which the first of equally close ones counts."""
    compared: list[tuple[tuple[int, float], int, list[Difference]]] = []
    for exchange_id, other in recorded:
        found = list(islice(differences(asked, other), _COUNTED))
        likeness = _likeness(found[0]) if found else 1.0
        compared.append(((sum(map(_weight, found)), -likeness), exchange_id, found))
    if not compared:
        return Miss()
    _, closest_id, found = min(compared, key=lambda one: one[0])
    if not found:
        return Miss(closest_id=closest_id, compared=len(compared))
    first = found[0]
    return Miss(
        closest_id=closest_id,
        difference=first,
        compared=len(compared),
        alike=sum(all(_lies_in(d.path, first.path) for d in other) for *_, other in compared),
    )


def _weight(difference: Difference) -> int:
    """A thing that is missing is more than one that is different; another endpoint is most."""
    if difference.path in {"method", "path"}:
        return _COUNTED
    return 2 if ABSENT in {difference.asked, difference.recorded} else 1


def _likeness(difference: Difference) -> float:
    """How much of the shorter value's ends the two values share: 0 to 1."""
    a, b = sorted((difference.asked, difference.recorded), key=len)
    start = _common(a, b)
    end = _common(a[start:][::-1], b[start:][::-1])
    return (start + end) / max(1, len(b))


def _common(a: str, b: str) -> int:
    for index, (one, other) in enumerate(zip(a, b, strict=False)):
        if one != other:
            return index
    return min(len(a), len(b))


def _lies_in(path: str, place: str) -> bool:
    return path == place or path.startswith((f"{place}.", f"{place}["))
