"""Cassette files: whole or not at all, and every fault is told with its file."""

from pathlib import Path

import pytest

from replayproxy.cassettes import Cassette, read, write
from replayproxy.errors import CassetteError
from tests.builders import NOON

EMPTY = Cassette(recorded=NOON.date())


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "test_it[a-1].yaml"

    write(path, EMPTY)

    assert read(path).cassette == EMPTY
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_cassette_can_be_read_by_whoever_may_read_the_repository(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"

    write(path, EMPTY)
    path.chmod(0o640)
    write(path, EMPTY)

    assert path.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("content", "complaint"),
    [(None, "No such file"), (b"\xff", "not UTF-8"), (b"a: 1", "no cassette")],
)
def test_a_file_that_is_no_cassette_is_named(
    tmp_path: Path, content: bytes | None, complaint: str
) -> None:
    path = tmp_path / "c.yaml"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(CassetteError, match=complaint) as caught:
        read(path)

    assert str(path) in str(caught.value)


def test_a_huge_file_is_not_even_opened(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    with path.open("wb") as file:
        file.truncate(65 * 1024 * 1024)

    with pytest.raises(CassetteError, match="64 MiB"):
        read(path)


def test_what_cannot_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(CassetteError, match="cannot be written"):
        write(tmp_path / "file" / "c.yaml", EMPTY)
