"""SQL functions that the named queries use, and SQLite does not have."""

import sqlite3
from urllib.parse import quote as url_quote

from replayproxy.store.connection import register_functions


def register(connection: sqlite3.Connection) -> None:
    """Make them known to a connection, together with those of the store."""
    register_functions(connection)
    connection.create_function("replayproxy_quote", 1, quote, deterministic=True)


def quote(value: object) -> str:
    """A value as it stands in a URL's query; null as "".

    >>> quote("a b&c")
    'a%20b%26c'
    """
    return url_quote("" if value is None else str(value), safe="")
