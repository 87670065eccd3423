"""What a check found."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is.

    Attributes:
        OK: as it should be.
        NOTE: it works; one should know.
        PROBLEM: something will not work, or is not safe.
    """

    OK = "ok"
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One fact.

    Attributes:
        subject: what was looked at.
        todo: what to do about it; empty where nothing is to be done.
    """

    subject: str
    level: Level = Level.OK
    text: str
    todo: str = ""
