"""The SQL aggregate `replayproxy_percentiles(value)`, which SQLite does not have."""

import json
from math import ceil
from typing import Any

PERCENTS = (50, 95, 99)


class Percentiles:
    """JSON `[p50, p95, p99]`, null if there is no value.

    Nearest-rank: the smallest value that at least p % do not exceed, as in the
    views. One pass and one sort: window functions take ten times as long.
    """

    def __init__(self) -> None:
        self._values: list[float] = []

    def step(self, value: Any) -> None:
        """One row."""
        if isinstance(value, int | float):
            self._values.append(value)

    def finalize(self) -> Any:  # what typeshed allows is only int
        """The answer."""
        if not self._values:
            return None
        ordered = sorted(self._values)
        return json.dumps([ordered[ceil(len(ordered) * p / 100) - 1] for p in PERCENTS])
