"""What a new recording of a cassette takes the place of, and when it must not."""

from pathlib import Path

import pytest

from replayproxy.cli.replacing import Replacement
from replayproxy.store import Store, Writer
from tests.builders import asking, chunks, record, says, written

HELLO = chunks((5, says("Hello")))


def recorded(path: Path, *cassettes: str) -> None:
    writer = Writer(path)
    for number, cassette in enumerate(cassettes):
        record(writer, *HELLO, request=asking(str(number)), cassette=cassette)
    writer.close()


def ids(path: Path) -> list[int]:
    with Store(path) as store:
        return [row["id"] for row in store.rows()]


def test_what_was_there_before_goes_and_no_other_cassette(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.db"
    recorded(path, "mine", "other", "mine")
    replacement = Replacement(path, "mine")
    recorded(path, "mine", "other")

    assert replacement.finish(good=1, not_recorded=0)

    assert ids(path) == [2, 4, 5]
    assert "cassette 'mine' is replaced: of what it held before, deleted 2 exchanges, " in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("good", "not_recorded", "why"),
    [(0, 0, "it got no good answer"), (3, 1, "some of this run was not recorded")],
)
def test_it_stays_when_what_is_new_is_not_good_or_not_whole(
    good: int, not_recorded: int, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.db"
    recorded(path, "mine")
    replacement = Replacement(path, "mine")
    recorded(path, "mine")

    assert not replacement.finish(good=good, not_recorded=not_recorded)

    assert ids(path) == [1, 2]
    assert f"what it held before stays: {why}" in capsys.readouterr().err


def test_a_cassette_that_was_empty_has_nothing_to_replace(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path / "a.db", {"body": HELLO, "cassette": "other"})
    replacement = Replacement(path, "mine")

    assert replacement.finish(good=0, not_recorded=0)

    assert ids(path) == [1]
    assert capsys.readouterr().err == ""
