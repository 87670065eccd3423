"""SQL functions that the named queries use, and SQLite does not have."""

import sqlite3
from datetime import datetime, timedelta
from math import floor, log10
from urllib.parse import quote as url_quote

from replayproxy.store.connection import register_functions


def register(connection: sqlite3.Connection) -> None:
    """Make them known to a connection, together with those of the store."""
    register_functions(connection)
    connection.create_function("replayproxy_quote", 1, quote, deterministic=True)
    connection.create_function("replayproxy_during", 1, during, deterministic=True)
    connection.create_function("replayproxy_decile", 1, decile, deterministic=True)
    connection.create_function("replayproxy_moment", 1, moment, deterministic=True)


def quote(value: object) -> str:
    """A value as it stands in a URL's query; null as "".

    >>> quote("a b&c")
    'a%20b%26c'
    """
    return url_quote("" if value is None else str(value), safe="")


def decile(value: float) -> float:
    """Where the step begins that a value falls into: ten steps for each power of ten.

    >>> round(decile(456.0), 1), round(decile(0), 4)
    (398.1, 0.001)
    """
    return 10 ** (floor(log10(max(value, 0.001)) * 10 + 1e-9) / 10)


def moment(start: str) -> str:
    """The beginning of a timestamp (a month, day, hour or minute) as a whole one.

    >>> moment("2026-03"), moment("2026-03-10T14")
    ('2026-03-01T00:00:00Z', '2026-03-10T14:00:00Z')
    """
    return f"{start}{_REST[len(start) :]}"


def during(start: str) -> str:
    """The filter of the table `exchanges` for what started in this month, day, hour or minute.

    >>> during("2026-12"), during("2026-03-10T14:59")
    ('started_at__gte=2026-12&started_at__lt=2027-01', \
'started_at__gte=2026-03-10T14%3A59&started_at__lt=2026-03-10T15%3A00')
    """
    begins = datetime.fromisoformat(moment(start))
    ends = (begins + _STEPS[len(start)]).isoformat()[: len(start)]
    return f"started_at__gte={quote(start)}&started_at__lt={quote(ends)}"


_REST = "0000-01-01T00:00:00Z"
_STEPS = {
    7: timedelta(days=31),
    10: timedelta(days=1),
    13: timedelta(hours=1),
    16: timedelta(minutes=1),
}
