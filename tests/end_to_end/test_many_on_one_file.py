"""Two recorders, the dashboard, a search, a pruning and a shell on one file, all at once (F22)."""

import re
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest

from replayproxy.store import Rules, Store, Writer, prune
from tests.builders import DONE, asking, chunks, eventually, record, says
from tests.dashboards.site import HOME
from tests.end_to_end.commands import run, serving

EACH = 300
PAGES = (HOME, f"{HOME}/search?q=told", f"{HOME}/news.json", "/replayproxy/exchanges")


@contextmanager
def again_and_again(*jobs: Callable[[], object]) -> Iterator[list[BaseException]]:
    """Each in a thread of its own, until the block ends; what they raised."""
    over = threading.Event()
    raised: list[BaseException] = []

    def work(job: Callable[[], object]) -> None:
        while not over.wait(0.01):
            try:
                job()
            except BaseException as error:  # noqa: BLE001 (the test looks at it)
                raised.append(error)

    threads = [threading.Thread(target=work, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    try:
        yield raised
    finally:
        over.set()
        for thread in threads:
            thread.join()


def test_nothing_is_lost_and_no_page_is_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "replayproxy.db"
    writers = [Writer(path), Writer(path)]
    record(writers[0], request=asking("first"), cassette="0")
    eventually(lambda: writers[0].recorded == 1)

    def shell() -> None:
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE exchanges SET tag = 'seen' WHERE id = 1")

    with serving("dashboard", cwd=tmp_path) as dashboard:

        def look() -> None:
            for page in PAGES:
                with urlopen(dashboard.url + page) as response:
                    assert response.status == 200
                    assert b"locked" not in response.read()

        with again_and_again(
            shell, look, lambda: prune(path, Rules(keep=0, cassette="gone"))
        ) as raised:
            for number in range(EACH):
                for at, writer in enumerate(writers):
                    said = chunks((5, says(f"told{number}of{at}")), (6, DONE))
                    record(writer, *said, request=asking("hello"), cassette=str(at))
                    record(writer, *said, request=asking("hello"), cassette="gone")
            eventually(lambda: all(writer.recorded >= 2 * EACH for writer in writers))
        prune(path, Rules(keep=0, cassette="gone"))
        for writer in writers:
            writer.close()
        found = run("search", "told*", "--limit", "1000", "--json", cwd=tmp_path)

    assert raised == []
    assert [writer.not_recorded for writer in writers] == [0, 0]
    assert "locked" not in caplog.text
    assert "Traceback" not in dashboard.words
    with Store(path) as store:
        assert store.cassettes() == ["0", "1"]
        assert len(list(store.rows())) == 2 * EACH + 1
    told = re.findall(r'"answer":"(told\w+)"', found.stdout)
    assert len(set(told)) == len(told) == 2 * EACH
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
