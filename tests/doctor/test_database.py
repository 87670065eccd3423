"""What a database's condition says."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from replayproxy.doctor import Finding, Level
from replayproxy.doctor.database import database
from replayproxy.store import Writer
from tests.builders import DONE, asking, chunks, record, says

GOLDEN = Path(__file__).parents[1] / "data" / "schema_1.db"
KEY = "sk-ant-api03-" + "x" * 80


def recorded(path: Path, text: str = "Hi") -> Path:
    writer = Writer(path)
    record(writer, *chunks((1, says(text) + DONE)), request=asking(model="m"))
    writer.close()
    return path


def levels(found: list[Finding]) -> list[Level]:
    return [finding.level for finding in found]


def test_a_good_one_is_good_and_stays_as_it_is(tmp_path: Path) -> None:
    path = recorded(tmp_path / "a.db")
    before = path.read_bytes()

    found = list(database(path))

    assert levels(found) == [Level.OK, Level.OK]
    assert found[0].text.startswith(f"{path}: 1 exchange, 0.")
    assert path.read_bytes() == before


def test_one_of_an_older_version_is_told_and_not_changed(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    path.write_bytes(GOLDEN.read_bytes())
    path.chmod(0o600)
    before = path.read_bytes()

    found = list(database(path))

    assert any("older replayproxy" in finding.text for finding in found)
    assert Level.PROBLEM not in levels(found)
    assert path.read_bytes() == before


def test_damage_is_bad(tmp_path: Path) -> None:
    path = recorded(tmp_path / "a.db")
    with closing(sqlite3.connect(path)) as connection:
        (page,) = connection.execute(
            "SELECT rootpage FROM sqlite_schema WHERE type = 'index' AND sql LIKE '%ON exchanges %'"
        ).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)

    found = list(database(path))

    assert Level.PROBLEM in levels(found)
    assert any(".recover" in finding.todo for finding in found)


def test_another_programs_file_is_bad(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (x)")

    (found,) = database(path)

    assert (found.level, found.todo != "") == (Level.PROBLEM, True)


def test_a_file_that_others_can_read_is_bad(tmp_path: Path) -> None:
    path = recorded(tmp_path / "a.db")
    path.chmod(0o644)

    assert [f.todo for f in database(path) if f.level is Level.PROBLEM] == [f"chmod 600 {path}"]


def test_what_looks_like_a_key_in_a_body_is_told_by_its_kind(tmp_path: Path) -> None:
    path = recorded(tmp_path / "a.db", text=f"your key is {KEY}")

    text = " ".join(finding.text for finding in database(path))

    assert "hold what looks like keys in their bodies (anthropic key)" in text
    assert KEY not in text


def test_recordings_of_the_future_mean_a_wrong_clock(tmp_path: Path) -> None:
    path = recorded(tmp_path / "a.db")
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE exchanges SET started_at = ?", [later])

    assert [f.subject for f in database(path) if f.level is Level.PROBLEM] == ["clock"]
