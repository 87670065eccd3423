"""Whose fault an exception was: it decides what is tried again."""

import sqlite3


def is_of_the_disk(error: Exception) -> bool:
    """Whether disk, lock or a damaged file caused it, and not what was to be stored."""
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR:
        return False  # of the statement: to try again would not help
    return (
        isinstance(error, sqlite3.OperationalError | sqlite3.InternalError)
        or type(error) is sqlite3.DatabaseError
    )
