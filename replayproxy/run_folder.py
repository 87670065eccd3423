"""A folder for the length of one run of the tests, the same for all its processes.

It imports next to nothing: pytest-xdist makes it whether cassettes are used or not.
"""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

_joined: list[Path] = []


def run_folder() -> Path:
    """The folder of the run that this process has joined; else its own, until it ends."""
    return _joined[-1] if _joined else _own()


def join(folder: Path) -> None:
    """Take part in a run that another process began."""
    _joined.append(folder)


@cache
def _own() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="replayproxy-run-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
