"""SQL functions that the named queries use, and SQLite does not have."""

import json
import sqlite3
from math import ceil
from typing import Any
from urllib.parse import quote as url_quote

from replayproxy.store.connection import register_functions

PERCENTS = (50, 95, 99)


def register(connection: sqlite3.Connection) -> None:
    """Make them known to a connection, together with those of the views."""
    register_functions(connection)
    connection.create_function("replayproxy_quote", 1, quote, deterministic=True)
    connection.create_aggregate("replayproxy_percentiles", 1, Percentiles)


def quote(value: object) -> str:
    """A value as it stands in a URL's query; null as "".

    >>> quote("a b&c")
    'a%20b%26c'
    """
    return url_quote("" if value is None else str(value), safe="")


class Percentiles:
    """`replayproxy_percentiles(value)`: JSON `[p50, p95, p99]`, null if there is no value.

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
