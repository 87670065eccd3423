"""Keeps the search index of a database up to date while it is looked at.

The one thing of the dashboard that writes, in a thread and with a connection of its own;
where the file cannot be written, search says what it lacks.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from replayproxy.errors import DatabaseError
from replayproxy.store.search import catch_up, find, parse
from replayproxy.store.search.index import STEP_S

EVERY_S = 2.0
_AFTER_FAULT_S = 60.0
_PAUSE_S = 3 * STEP_S
"""Pages come first: a large file that was never indexed takes a while."""


@contextmanager
def indexing(path: Path, *, every_s: float = EVERY_S) -> Iterator[None]:
    """Index what is new, for a `with` block."""
    stopped = threading.Event()
    thread = threading.Thread(
        target=_run, args=(path, stopped, every_s), name="replayproxy-indexer", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


def _run(path: Path, stopped: threading.Event, every_s: float) -> None:
    pause_s = 0.0
    while not stopped.wait(pause_s):
        try:
            if find(path, parse("")).waiting:
                catch_up(path, stopped=stopped, pause_s=_PAUSE_S)
            pause_s = every_s
        except DatabaseError:  # nobody may write there, or somebody does for long
            pause_s = _AFTER_FAULT_S
