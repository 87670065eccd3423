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

    def _try_lock(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

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
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        _try_lock(self._descriptor)

    def release(self) -> None:
        """Give the lock back; more than once does no harm."""
        if self._descriptor >= 0:
            self._path.unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = -1


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


def forget(database: Path, run_id: int) -> None:
    """Remove what a dead run left behind."""
    lock_file(database, run_id).unlink(missing_ok=True)
