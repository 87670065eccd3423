"""`replayproxy search`: what it finds, and how it says so."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from replayproxy.cli import main
from tests.builders import DONE, asking, chunks, says, written


@pytest.fixture
def path(tmp_path: Path) -> Path:
    def body(answer: str) -> Any:
        return chunks((10**8, says(answer)), (11 * 10**7, DONE))

    return written(
        tmp_path / "a.db",
        {"request": asking("Is it raining in Lisbon?"), "body": body("No, it is dry.")},
        {"request": asking("And in Oslo?", model="gpt-5"), "body": body("Raining \x1b[31mcats.")},
        {"request": asking("Raining?"), "body": body("Yes."), "cassette": "other"},
    )


def run(path: Path, *arguments: str) -> Any:
    return CliRunner().invoke(main, ["search", "--db", str(path), *arguments])


def ids(path: Path, *arguments: str) -> list[int]:
    result = run(path, "--json", *arguments)
    assert result.exit_code == 0, result.output
    return [json.loads(line)["id"] for line in result.stdout.splitlines()]


def test_it_shows_where_the_words_stand_newest_first(path: Path) -> None:
    result = run(path, "raining", "--cassette", "default")

    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "2  2026-09-01 12:00:00  gpt-5",
        "    answered: Raining \\x1b[31mcats.",
        "1  2026-09-01 12:00:00  gpt-4o",
        "    asked: Is it raining in Lisbon?",
    ]
    assert result.stderr == ""


def test_json_has_the_row_and_both_places(path: Path) -> None:
    (line,) = run(path, "--json", "lisbon", "dry").stdout.splitlines()

    found = json.loads(line)
    assert (found["id"], found["request_model"], found["status"]) == (1, "gpt-4o", 200)
    assert found["prompt"] == "Is it raining in Lisbon?"
    assert found["answer"] == "No, it is dry."


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("raining",), [3, 2, 1]),
        (("raining", "--limit", "1"), [3]),
        (("raining", "--model", "gpt-5"), [2]),
        (("raining", "--cassette", "other"), [3]),
        (("raining", "--since", "2026-09-02"), []),
        (("raining in",), [1]),
        (("--", "rain*", "-oslo"), [3, 1]),
        (('"AND NEAR(', "raining"), []),
    ],
)
def test_it_finds_what_was_asked_for(
    path: Path, arguments: tuple[str, ...], expected: list[int]
) -> None:
    assert ids(path, *arguments) == expected


def test_it_says_so_when_there_is_nothing_or_more(path: Path) -> None:
    assert "Nothing found." in run(path, "snow").stderr
    assert "There are more" in run(path, "raining", "--limit", "2").stderr


@pytest.mark.parametrize("words", [("",), ("--", "-snow"), ("*",)])
def test_without_a_word_to_look_for_it_is_misused(path: Path, words: tuple[str, ...]) -> None:
    result = run(path, *words)

    assert result.exit_code == 2
    assert "at least one word" in result.stderr


def test_the_index_can_be_made_anew(path: Path) -> None:
    assert ids(path, "dry") == [1]
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DROP TABLE search_idx")

    broken = run(path, "dry")
    mended = run(path, "--rebuild")

    assert broken.exit_code == 3
    assert "Make it anew with: replayproxy search --rebuild" in broken.stderr
    assert (mended.exit_code, mended.output) == (0, "")
    assert ids(path, "dry") == [1]


def test_a_database_that_is_locked_for_long_is_searched_as_it_is(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ids(path, "dry") == [1]
    monkeypatch.setattr("replayproxy.store.connection.BUSY_TIMEOUT_S", 0.05)
    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        result = run(path, "dry", "--json")

    assert result.exit_code == 0
    assert json.loads(result.stdout)["id"] == 1
    assert "not all is indexed: database is locked" in result.stderr


def test_a_database_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    result = run(tmp_path / "none.db", "x")

    assert result.exit_code == 3
    assert "it does not exist" in result.stderr
    assert list(tmp_path.iterdir()) == []
