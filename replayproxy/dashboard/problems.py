"""What went wrong, as a page says it: nothing of the values it went wrong with."""

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from replayproxy.dashboard.formats import one_line
from replayproxy.errors import DatabaseError, UnknownExchangeError
from replayproxy.store.connection import as_database_error


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """An HTTP status, what it means here, and what to do next."""

    status: int
    title: str
    hint: str = ""

    def as_json(self) -> dict[str, Any]:
        """The shape of Datasette's own errors."""
        return {"ok": False, "status": self.status, "error": self.title, "title": None}


def describe(error: Exception) -> Problem:
    """The problem that an exception stands for; of Datasette's own, their status and words."""
    error = _of_the_file(error) or error
    if isinstance(error, UnknownExchangeError):
        return Problem(status=404, title=f"There is no exchange {error.exchange_id}")
    if isinstance(error, DatabaseError):
        title = f"The database cannot be used: {error.reason}"
        return Problem(status=503, title=one_line(title, 300), hint=error.hint)
    status = getattr(error, "status", None)
    if not isinstance(status, int):
        return Problem(status=500, title="This page failed", hint="The log of the server says why.")
    return Problem(status=status, title=_words(error, status))


_OF_THE_FILE = {
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_READONLY,
}  # fmt: skip


def _of_the_file(error: Exception) -> DatabaseError | None:
    """What is wrong with the file, if that is behind it: Datasette calls it a wrong query."""
    for behind in (error, error.__cause__, error.__context__):
        if isinstance(behind, sqlite3.Error):
            if getattr(behind, "sqlite_errorcode", 0) & 0xFF not in _OF_THE_FILE:
                return None
            try:
                with as_database_error(Path("replayproxy.db")):
                    raise behind
            except DatabaseError as described:
                return described
    return None


def _words(error: Exception, status: int) -> str:
    if getattr(error, "message_is_html", False):  # markup of Datasette's, with SQL inside
        return one_line(getattr(error, "title", None) or "This query could not be run")
    said = getattr(error, "message", None) or next(iter(error.args), None)
    return one_line(said or f"Error {status}", 300)
