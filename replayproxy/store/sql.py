"""Statements made of column names. Names are ours, values are always bound."""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any


def insert(connection: sqlite3.Connection, table: str, columns: Mapping[str, Any]) -> int:
    """Insert one row; returns its rowid."""
    names = ", ".join(columns)
    marks = ", ".join("?" * len(columns))
    cursor = connection.execute(
        f"INSERT INTO {table} ({names}) VALUES ({marks})", list(columns.values())
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def update(
    connection: sqlite3.Connection, table: str, columns: Mapping[str, Any], **where: int
) -> None:
    """Update the row whose (one) key column has this value."""
    ((key, value),) = where.items()
    assignments = ", ".join(f"{name} = ?" for name in columns)
    connection.execute(
        f"UPDATE {table} SET {assignments} WHERE {key} = ?", [*columns.values(), value]
    )


def as_dict(cursor: sqlite3.Cursor, row: Sequence[Any]) -> dict[str, Any]:
    """A row by its column names."""
    return {column[0]: value for column, value in zip(cursor.description, row, strict=True)}
