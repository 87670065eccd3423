"""What to tell whoever reads a failed test: once, short, and what to do next."""

from collections import Counter
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path

from replayproxy.protocols import asked
from replayproxy.serving.player import Played
from replayproxy.testing.exchanges import SeenExchange
from replayproxy.testing.session import Result

_SHOWN = 400


def told(result: Result, misses: Iterable[Played], *, root: Path) -> list[str]:
    """The lines for a test that asked for what was not recorded."""
    settings = result.settings
    path = shown(settings.path, root)
    lines = [f"{path}{'' if settings.path.exists() else ' (there is no such file)'}"]
    told_once = Counter(tuple(_miss(played, result)) for played in misses)
    for miss, times in told_once.items():
        first, *rest = miss
        lines += [first + (f" ({times} times)" if times > 1 else ""), *rest]
    lines += [f"refused: a live call to {host}" for host in result.refused]
    if settings.record_command:
        lines.append(f"record it: {settings.record_command}")
    return lines


def unplayed(exchanges: Iterable[SeenExchange], path: Path, *, root: Path) -> list[str]:
    """The lines for a test that asked for less than was recorded."""
    return [f"{shown(path, root)}: recorded, and not asked for:", *map(repr, exchanges)]


def shown(path: Path, root: Path) -> str:
    """A path as people know it: from the root of the project."""
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def dollars(cost: Decimal) -> str:
    """A sum of money; small ones keep two significant digits.

    >>> dollars(Decimal("0.384")), dollars(Decimal("0.00021")), dollars(Decimal(0))
    ('$0.38', '$0.00021', '$0')
    """
    if not cost:
        return "$0"
    places = 2 if cost >= Decimal("0.01") else 1 - cost.adjusted()
    return f"${cost:.{places}f}"


def _miss(played: Played, result: Result) -> Iterator[str]:
    request, miss = played.request, played.miss
    model = asked(request).model
    what = f"{request.method} {request.path}{f' ({model})' if model else ''}"
    if miss is None:
        yield f"error: {what}: {played.message}"
        return
    difference = miss.difference
    if difference is None:
        reason = "all its recordings were played before" if result.playable else "nothing was"
        yield f"not recorded: {what}: {reason}"
        return
    yield f"not recorded: {what}; exchange {miss.closest_id} is the closest, but for"
    yield f"  {difference.path}"
    yield f"    asked:    {_short(difference.asked)}"
    yield f"    recorded: {_short(difference.recorded)}"


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
