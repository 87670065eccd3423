"""Rows of queries, for as long as the database that they came from stays as it is.

A large overview is a dozen queries over many rows: whoever goes back and forth, and a
page that asks again because another one has changed, need not wait for them again.
"""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from replayproxy.dashboard.charts import Rows

MAX_REMEMBERED = 256
_TICK_NS = 50_000_000
"""What was written that lately may be written again, and have the same time."""

type Stamp = tuple[tuple[int, int], ...]
"""Size and time of the database's files: whoever commits changes one of them."""


class Remembered:
    """The latest answers, by what was asked."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[object, ...], tuple[Stamp, Rows]] = OrderedDict()

    async def rows(
        self,
        path: Path,
        name: str,
        parameters: Mapping[str, str],
        read: Callable[[], Awaitable[Rows]],
    ) -> Rows:
        """What `read` gives for this query, from memory if nothing was written since."""
        asked = (str(path), name, *sorted(parameters.items()))
        stamp = stamp_of(path)  # before reading: what is written meanwhile makes it old
        before, rows = self._known.get(asked, ((), []))
        if before == stamp:
            self._known.move_to_end(asked)
            return rows
        rows = await read()
        if time.time_ns() - max(written_ns for _, written_ns in stamp) > _TICK_NS:
            self._known[asked] = (stamp, rows)
        while len(self._known) > MAX_REMEMBERED:
            self._known.popitem(last=False)
        return rows


def stamp_of(path: Path) -> Stamp:
    """What is another after every commit. Raises OSError if the file is gone."""
    found = [path.stat()]
    wal = path.with_name(path.name + "-wal")
    if wal.exists():
        found.append(wal.stat())
    return tuple((status.st_size, status.st_mtime_ns) for status in found)
