"""What went wrong, as a page says it: nothing of the values it went wrong with."""

from dataclasses import dataclass
from typing import Any

from replayproxy.dashboard.formats import one_line
from replayproxy.errors import DatabaseError, UnknownExchangeError


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
    if isinstance(error, UnknownExchangeError):
        return Problem(status=404, title=f"There is no exchange {error.exchange_id}")
    if isinstance(error, DatabaseError):
        title = f"The database cannot be used: {error.reason}"
        return Problem(status=503, title=one_line(title, 300), hint=error.hint)
    status = getattr(error, "status", None)
    if not isinstance(status, int):
        return Problem(status=500, title="This page failed", hint="The log of the server says why.")
    return Problem(status=status, title=_words(error, status))


def _words(error: Exception, status: int) -> str:
    if getattr(error, "message_is_html", False):  # markup of Datasette's, with SQL inside
        return one_line(getattr(error, "title", None) or "This query could not be run")
    said = getattr(error, "message", None) or next(iter(error.args), None)
    return one_line(said or f"Error {status}", 300)
