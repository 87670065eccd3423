"""Which runs are alive: one byte of a side file, locked by each.

The operating system drops the lock of a process however it dies, so a run
whose byte can be locked by somebody else is really dead. Several recorders
can share a database: each holds the byte at the position of its run id.
"""

import os
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

if sys.platform == "win32":  # pragma: no cover
    import msvcrt

    def _try_lock(descriptor: int, position: int) -> bool:
        os.lseek(descriptor, position, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl
    import struct

    def _try_lock(descriptor: int, position: int) -> bool:
        """Lock one byte. Where there are locks of open files, two runs of one process differ."""
        try:
            if hasattr(fcntl, "F_OFD_SETLK") and sys.platform == "linux":
                wish = struct.pack("hhqqi", fcntl.F_WRLCK, os.SEEK_SET, position, 1, 0)
                fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, wish)
            else:  # pragma: no cover (macOS)
                fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, position)
        except OSError:
            return False
        return True


def lock_file(database: Path) -> Path:
    """The side file of a database."""
    return database.with_name(database.name + "-runs")


class RunLock:
    """Held as long as a run lives. Use as a context manager, or `release()`."""

    def __init__(self, database: Path, run_id: int) -> None:
        self._descriptor = os.open(lock_file(database), os.O_RDWR | os.O_CREAT, 0o600)
        _try_lock(self._descriptor, run_id)

    def release(self) -> None:
        """Give the lock back; more than once does no harm."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()


def is_alive(database: Path, run_id: int) -> bool:
    """Whether some process still holds the run's lock."""
    try:
        descriptor = os.open(lock_file(database), os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        return not _try_lock(descriptor, run_id)
    finally:
        os.close(descriptor)
