"""A query is asked again if and only if the database was written since."""

import asyncio
import os
import time
from pathlib import Path

from replayproxy.dashboard.charts import Rows
from replayproxy.dashboard.remembered import MAX_REMEMBERED, Remembered
from replayproxy.store import Writer
from tests.builders import asking, eventually, record


class Asked:
    """Counts how often it was asked."""

    def __init__(self, path: Path) -> None:
        self.times = 0
        self._path = path
        self._remembered = Remembered()

    def __call__(self, name: str = "totals", **parameters: str) -> Rows:
        return asyncio.run(self._remembered.rows(self._path, name, parameters, self._read))

    def long_ago(self) -> None:
        """Nobody has written for a while."""
        for file in self._path.parent.glob(f"{self._path.name}*"):
            os.utime(file, ns=(0, file.stat().st_mtime_ns - 10**9))

    async def _read(self) -> Rows:
        self.times += 1
        return [{"times": self.times}]


def test_what_was_read_is_remembered_until_somebody_writes(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    writer = Writer(path)
    asked = Asked(path)

    asked.long_ago()
    assert [asked(), asked()] == [[{"times": 1}], [{"times": 1}]]
    record(writer, request=asking("one"))
    eventually(lambda: writer.recorded == 1)
    asked.long_ago()
    assert [asked(), asked()] == [[{"times": 2}], [{"times": 2}]]
    writer.close()  # the WAL goes into the file
    assert asked() == [{"times": 3}]


def test_what_was_written_this_very_moment_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    Writer(path).close()
    os.utime(path, ns=(0, time.time_ns() + 10**9))
    asked = Asked(path)

    assert [asked(), asked()] == [[{"times": 1}], [{"times": 2}]]


def test_other_parameters_are_another_question(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    Writer(path).close()
    asked = Asked(path)
    asked.long_ago()

    asked(model="a")
    asked(model="b")
    asked("by_model", model="a")
    asked(model="a")

    assert asked.times == 3


def test_not_everything_is_remembered_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    Writer(path).close()
    asked = Asked(path)
    asked.long_ago()

    for number in range(MAX_REMEMBERED + 1):
        asked(model=str(number))
    asked(model="0")

    assert asked.times == MAX_REMEMBERED + 2
