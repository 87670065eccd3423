"""What Datasette's own SQL may read: an SQLite authorizer.

It is asked for every column that a statement names, on whatever path it is
reached (table, view, row, facet, export), and makes secret ones NULL.
"""

import sqlite3

from replayproxy.dashboard import sql_functions
from replayproxy.store.connection import BUSY_TIMEOUT_S
from replayproxy.store.migrations import APPLICATION_ID

SECRET_TABLES = frozenset({"settings", "search", "search_docs", "search_once"})
"""Nothing of these can be read: the key of the fingerprints, words of prompts and answers."""

SECRET_COLUMNS = frozenset(
    {("bodies", "data"), ("journal", "data"), ("search_data", "block"), ("search_idx", "term")}
)
"""Bodies and their words are shown on an exchange's page and by search, and nowhere by accident."""

_READING = frozenset(
    {
        sqlite3.SQLITE_SELECT,
        sqlite3.SQLITE_FUNCTION,
        sqlite3.SQLITE_RECURSIVE,
        sqlite3.SQLITE_TRANSACTION,
    }
)
_PRAGMAS = frozenset(
    {
        "application_id", "data_version", "database_list", "foreign_key_list", "function_list",
        "index_info", "index_list", "index_xinfo", "recursive_triggers", "schema_version",
        "table_info", "table_list", "table_xinfo",
    }
)  # fmt: skip


def is_ours(connection: sqlite3.Connection) -> bool:
    """Whether this is a database that replayproxy wrote."""
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    return bool(application_id == APPLICATION_ID)


def prepare(connection: sqlite3.Connection) -> None:
    """Make a connection fit for Datasette: our SQL functions, no writing, no secrets."""
    sql_functions.register(connection)
    connection.execute(f"PRAGMA busy_timeout = {int(BUSY_TIMEOUT_S * 1000)}")
    connection.execute("PRAGMA query_only = ON")
    connection.execute("PRAGMA cache_size = -32000")
    connection.set_authorizer(authorize)


def authorize(
    action: int, first: str | None, second: str | None, schema: str | None, source: str | None
) -> int:
    """SQLite's question whether a statement may do this (see sqlite3_set_authorizer)."""
    if action == sqlite3.SQLITE_READ:
        table, column = (first or "").lower(), (second or "").lower()
        secret = table in SECRET_TABLES or (table, column) in SECRET_COLUMNS
        return sqlite3.SQLITE_IGNORE if secret else sqlite3.SQLITE_OK
    if action in _READING:
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_UPDATE and first == "sqlite_master":
        # asked when a virtual table is opened; a statement that does it is refused by SQLite
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_PRAGMA and (first or "").lower() in _PRAGMAS:
        setting = second is not None and first in {"application_id", "schema_version"}
        return sqlite3.SQLITE_DENY if setting else sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY
