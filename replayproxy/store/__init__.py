"""One SQLite file: the exchanges, their bytes and their timing."""

from replayproxy.store.reader import Store
from replayproxy.store.tape import Tape
from replayproxy.store.writer import Writer

__all__ = ["Store", "Tape", "Writer"]
