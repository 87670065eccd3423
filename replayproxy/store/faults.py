"""Whose fault an exception was: it decides what is tried again."""

import sqlite3


def is_of_the_disk(error: Exception) -> bool:
    """Whether disk, lock or a damaged file caused it, and not what was to be stored."""
    return (
        isinstance(error, sqlite3.OperationalError | sqlite3.InternalError)
        or type(error) is sqlite3.DatabaseError
    )
