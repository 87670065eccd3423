"""A folder of cassettes is looked over; an edited one is sealed."""

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from replayproxy.cassettes import Cassette, Track, read, write
from replayproxy.cli import main
from tests.builders import DONE, asking, says
from tests.cassettes.test_text import BY_HAND, a_track, text_of

DAY = date(2026, 9, 1)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["cassette", *map(str, arguments)])


def a_project(folder: Path, *tracks: Track, source: str = "def test_it(): ...") -> Path:
    """One test file and the cassette of `test_it`; returns the cassette's path."""
    (folder / "test_chat.py").write_text(source)
    path = folder / "cassettes" / "test_chat" / "test_it.yaml"
    write(path, Cassette(tracks=tracks or (a_track(DONE),), recorded=DAY))
    return path


def test_a_folder_in_order_passes(tmp_path: Path) -> None:
    a_project(tmp_path)
    (tmp_path / "cassettes" / "other.yaml").write_text("a: 1\n")

    checked = run("check", tmp_path, "--max-age", "2026-09-01")

    assert (checked.exit_code, checked.stdout) == (0, "")
    assert checked.stderr == "1 cassette, 0 with something wrong\n"


@pytest.mark.parametrize(
    ("source", "stem", "is_used"),
    [
        ("def test_it(): ...", "test_it[a-1]", True),
        ("class TestIt:\n    def test_it(self): ...", "TestIt.test_it", True),
        ("async def test_it(): ...", "test_it", True),
        ("def test_it_all(): ...", "test_it", False),
        ("mark.replay('shared')", "shared", True),
        ('mark.replay("test_chat/shared")', "shared", True),
        ("# shared", "shared", False),
    ],
)
def test_a_cassette_that_no_test_uses_is_found(
    tmp_path: Path, source: str, stem: str, is_used: bool
) -> None:
    path = a_project(tmp_path, source=source)
    path.rename(path.with_stem(stem))

    checked = run("check", tmp_path)

    assert checked.exit_code == (0 if is_used else 1)
    assert ("unused: no test seems to use it" in checked.stdout) == (not is_used)


def test_every_kind_of_problem_is_told_as_a_line_of_json(tmp_path: Path) -> None:
    key = "sk-ant-api03-" + "a" * 64
    path = a_project(tmp_path, a_track(DONE, request=asking(key)))
    edited = path.with_stem("test_it[edited]")
    edited.write_text(text_of(a_track(says("Hi"), says("you"))).replace("a: Hi", "a: Ho"))
    by_hand = path.with_stem("test_it[by hand]")
    with_header = (
        "url: https://api.openai.com/v1/chat/completions\n    headers: |\n      Cookie: c\n"
    )
    by_hand.write_text(
        BY_HAND.replace("url: https://api.openai.com/v1/chat/completions\n", with_header)
    )
    foreign = path.with_stem("test_it[vcr]")
    foreign.write_text("interactions: []\n")

    checked = run("check", tmp_path, "--max-age", "30d", "--json")

    found = [json.loads(line) for line in checked.stdout.splitlines()]
    assert checked.exit_code == 1
    assert {(Path(f["path"]).stem, f["kind"]) for f in found} == {
        ("test_it", "secret"),
        ("test_it", "old"),
        ("test_it[edited]", "format"),
        ("test_it[by hand]", "secret"),
        ("test_it[vcr]", "format"),
    }
    assert key not in checked.stdout
    assert "the header Cookie is not REDACTED" in checked.stdout


def test_duplicates_are_told_and_are_not_wrong(tmp_path: Path) -> None:
    path = a_project(tmp_path)
    track = a_track(DONE)
    again = replace(track, exchange=replace(track.exchange, end_offset_ns=99))
    write(path.with_stem("test_it[b]"), Cassette(tracks=(again,), recorded=DAY))
    write(path.with_stem("test_it[c]"), Cassette(tracks=(a_track(says("x")),), recorded=DAY))

    checked = run("check", tmp_path)

    assert checked.exit_code == 0
    assert checked.stdout == (
        f"{path.with_stem('test_it[b]')}: duplicate: says the same as {path}\n"
    )


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_sealing_changes_the_checksum_and_nothing_else(tmp_path: Path, ending: str) -> None:
    path = tmp_path / "c.yaml"
    text = text_of(a_track(says("Hello"), says("you"))).replace("a: Hello", "a: Howdy # yes")
    path.write_bytes(text.replace("\n", ending).encode())

    sealed = run("seal", path)

    assert sealed.exit_code == 0
    assert read(path).sealed
    lines = path.read_bytes().decode().split(ending)
    changed = [line for line, old in zip(lines, text.split("\n"), strict=True) if line != old]
    assert [line.partition(":")[0] for line in changed] == ["checksum"]
    assert run("seal", path).stderr == f"{path}: was sealed already\n"


def test_what_was_written_by_hand_can_be_sealed(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(BY_HAND)

    assert run("seal", path).exit_code == 0

    assert read(path).sealed


def test_what_makes_no_sense_is_not_sealed(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(BY_HAND.replace("events:", "evens:"))

    refused = run("seal", path)

    assert refused.exit_code == 1
    assert "'evens'" in refused.stderr
    assert run("seal", tmp_path).exit_code == 2
