"""A folder for the length of one run of the tests, the same for all its processes."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path


@cache
def run_folder() -> Path:
    """This process's own, removed when it ends."""
    folder = Path(tempfile.mkdtemp(prefix="replayproxy-run-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
