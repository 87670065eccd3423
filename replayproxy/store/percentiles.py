"""The SQL aggregate `replayproxy_percentiles(value, weight)`, which SQLite does not have."""

import json
from bisect import bisect_left
from itertools import accumulate
from math import ceil
from typing import Any

PERCENTS = (50, 95, 99)


class Percentiles:
    """JSON `[p50, p95, p99]`, null if there is no value.

    Nearest-rank: the smallest value that at least p % do not exceed, as in the
    views. One pass and one sort: window functions take ten times as long.
    A value of weight n counts as n such values; without a weight, as one.
    """

    def __init__(self) -> None:
        self._values: list[float] = []
        self._weighted: list[tuple[float, int]] = []

    def step(self, value: Any, weight: Any = 1) -> None:
        """One row."""
        if not isinstance(value, int | float):
            return
        if weight == 1:
            self._values.append(value)
        else:
            self._weighted.append((value, weight))

    def finalize(self) -> Any:  # what typeshed allows is only int
        """The answer."""
        if self._weighted:
            return _of_weighted([*self._weighted, *((value, 1) for value in self._values)])
        if not self._values:
            return None
        ordered = sorted(self._values)
        return json.dumps([ordered[ceil(len(ordered) * p / 100) - 1] for p in PERCENTS])


def _of_weighted(values: list[tuple[float, int]]) -> str:
    values.sort()
    ranks = list(accumulate(weight for _, weight in values))
    wanted = (ceil(ranks[-1] * p / 100) for p in PERCENTS)
    return json.dumps([values[bisect_left(ranks, rank)][0] for rank in wanted])
