"""Which runs are alive: each holds a lock on a side file of its own.

The operating system drops the lock of a process however it dies, so a run
whose file is gone, or can be locked by somebody else, is really dead. Several
recorders can share a database.
"""

import os
import sys
from pathlib import Path

if sys.platform == "win32":  # pragma: no cover
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_LOCK, 1)

    def _try_lock(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX)

    def _try_lock(descriptor: int) -> bool:
        try:
            # flock, not lockf: it belongs to the open file, so that two runs of one process differ
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True


def lock_file(database: Path, run_id: int) -> Path:
    """The side file of a run."""
    return database.with_name(f"{database.name}-run-{run_id}")


class RunLock:
    """Held from the moment it is made until `release()`, or the end of the process."""

    def __init__(self, database: Path, run_id: int) -> None:
        self._path = lock_file(database, run_id)
        self._descriptor = _locked(self._path)

    def release(self) -> None:
        """Give the lock back; more than once does no harm."""
        if self._descriptor >= 0:
            self._path.unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = -1


def _locked(path: Path) -> int:
    """Make and lock the file; again, if somebody who thought it dead removed it meanwhile."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        _lock(descriptor)
        if path.exists() and os.path.samestat(path.stat(), os.fstat(descriptor)):
            return descriptor
        os.close(descriptor)


def is_alive(database: Path, run_id: int) -> bool:
    """Whether some process still holds the run's lock."""
    try:
        descriptor = os.open(lock_file(database, run_id), os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        return not _try_lock(descriptor)
    finally:
        os.close(descriptor)


def forget_dead_runs(database: Path) -> None:
    """Remove the side files that killed runs left behind."""
    for file in database.parent.glob(f"{database.name}-run-*"):
        run_id = file.name.rpartition("-")[2]
        if run_id.isdecimal() and not is_alive(database, int(run_id)):
            file.unlink(missing_ok=True)
