"""Reads the `usage` objects of all protocols: counts, and what is no count.

What is not said is None. What is said and makes no sense (negative, a string, a
float, huge) is None as well, and named in `Usage.problems`.
"""

import json
from collections.abc import Iterable

from replayproxy.model import Usage
from replayproxy.protocols.untrusted import Json, as_count, as_list, as_object, as_usd

_SHOWN = 40


class Counts:
    """Collects the counts of one usage object.

    >>> counts = Counts()
    >>> counts.take("input_tokens", {"prompt_tokens": 9}, "prompt_tokens", "input_tokens")
    >>> counts.take("output_tokens", {"completion_tokens": -1}, "completion_tokens")
    >>> usage = counts.usage()
    >>> usage.input_tokens, usage.output_tokens, usage.problems
    (9, None, (('output_tokens', 'completion_tokens is -1'),))
    """

    def __init__(self) -> None:
        self._said: dict[str, int] = {}
        self._problems: dict[str, str] = {}

    def take(self, field: str, source: Json, *names: str) -> None:
        """Set a field of `Usage` to the first of these values that is a count."""
        for name in names:
            value = source.get(name)
            if (count := as_count(value)) is not None:
                self._said[field] = count
                self._problems.pop(field, None)
                return
            if value is not None:
                self._problems.setdefault(field, f"{name} is {_shown(value)}")

    def take_modality(
        self, field: str, details: object, wanted: str, *, count: str = "tokenCount"
    ) -> None:
        """Set a field to what a list of counts by modality says of one of them.

        A list that has others only says that there were none of this one.
        """
        by_modality = [as_object(item) for item in as_list(details)]
        if not by_modality:
            return
        found = [d for d in by_modality if str(d.get("modality")).upper() == wanted]
        self.take(field, found[0] if found else {count: 0}, count)

    def usage(self) -> Usage:
        """What was collected."""
        return Usage(problems=tuple(self._problems.items()), **self._said)


def plus(usage: Usage, field: str, more: Iterable[int | None]) -> int | None:
    """A count of `usage` and others that belong to it; None if it was not said."""
    count: int | None = getattr(usage, field)
    return None if count is None else count + sum(other or 0 for other in more)


def cost_problem(usage: Json) -> tuple[tuple[str, str], ...]:
    """What is wrong with a reported `cost`, as an entry of `Usage.problems`.

    >>> cost_problem({"cost": -1}), cost_problem({"cost": 0.5}), cost_problem({"cost": None})
    ((('reported_cost_usd', 'cost is -1'),), (), ())
    """
    cost = usage.get("cost")
    if cost is None or as_usd(cost) is not None:
        return ()
    return (("reported_cost_usd", f"cost is {_shown(cost)}"),)


def _shown(value: object) -> str:
    try:
        text = json.dumps(value)
    except (ValueError, RecursionError):  # an integer of thousands of digits, a deep list
        return f"unreadable ({type(value).__name__})"
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
