"""The ready file is whole, and goes with the proxy that wrote it."""

from dataclasses import replace
from pathlib import Path

import pytest

from replayproxy.errors import UsageError
from replayproxy.ready_file import Ready, Served, read, written

READY = Ready(
    command="replay",
    url="http://127.0.0.1:1",
    proxy_url=None,
    ca_file=None,
    pid=1,
    db="/a.db",
    cassette="default",
    apis=(Served(url="http://127.0.0.1:1", upstream="https://api.openai.com:443"),),
)


def test_it_says_all_while_the_block_runs(tmp_path: Path) -> None:
    path = tmp_path / "ready.json"

    with written(path, READY):
        said = read(path)

    assert said == READY
    assert list(tmp_path.iterdir()) == []


def test_one_that_another_proxy_has_taken_over_stays(tmp_path: Path) -> None:
    path = tmp_path / "ready.json"

    with written(path, READY):
        path.write_text(path.read_text().replace('"pid": 1', '"pid": 2'))

    assert read(path) == replace(READY, pid=2)


@pytest.mark.parametrize("content", [None, "[]", '{"pid": 1}', "x"])
def test_what_is_none_of_ours_is_told(content: str | None, tmp_path: Path) -> None:
    path = tmp_path / "ready.json"
    if content is not None:
        path.write_text(content)

    with pytest.raises(UsageError, match=r"--ready-file .*ready\.json (cannot|is not)"):
        read(path)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written"), written(tmp_path / "a" / "b", READY):
        pass
