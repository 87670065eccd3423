"""Opening: created whole or not at all, never overwritten, and clear about what is wrong."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlite_utils import Database

from replayproxy.errors import DatabaseError
from replayproxy.store import Store, Writer, connection, views
from replayproxy.store.connection import fingerprint_key, open_for_reading, open_for_writing
from replayproxy.store.migrations import migrations
from tests.builders import asking, chunks, eventually, record, written

# Root may do everything: what is asked for happens as a user who may not.
AS_NOBODY = """
import os, sys
from pathlib import Path
from replayproxy.errors import DatabaseError
from replayproxy.store import Store, Writer
from sqlite_utils import Database

Database(memory=True)  # imports what it needs while we may read it
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
try:
    if sys.argv[1] == "read":
        with Store(Path(sys.argv[2])) as store:
            print([row["path"] for row in store.rows()])
    else:
        Writer(Path(sys.argv[2])).close()
        print("written")
except DatabaseError as error:
    print(error)
"""


def as_nobody(what: str, path: Path) -> str:
    child = subprocess.run(
        [sys.executable, "-c", AS_NOBODY, what, str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    return child.stdout.strip()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that other users can reach, made read-only by the test."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name)
        path.chmod(0o755)
        yield path
        path.chmod(0o755)


def damage(path: Path, *, first_page: int) -> None:
    """Overwrite all pages from this one on (the first has the number 0)."""
    start = first_page * 4096
    with path.open("r+b") as file:
        file.seek(start)
        file.write(b"\xa5" * (path.stat().st_size - start))


def write_nothing(path: Path) -> None:
    path.touch()


def write_garbage(path: Path) -> None:
    path.write_bytes(b"no database at all, only words\n" * 300)


def write_foreign(path: Path) -> None:
    with closing(sqlite3.connect(path)) as foreign:
        foreign.execute("CREATE TABLE recipes (name TEXT)")


def write_truncated(path: Path) -> None:
    open_for_writing(path).close()
    path.write_bytes(path.read_bytes()[:5_000])


def write_newer(path: Path) -> None:
    db = open_for_writing(path)
    db.execute(
        "INSERT INTO _sqlite_migrations (migration_set, name) VALUES ('replayproxy', 'm999_later')"
    )
    db.conn.commit()
    db.close()


def write_folder(path: Path) -> None:
    path.mkdir()


UNUSABLE = [
    (write_folder, "it is a folder", "--db"),
    (write_nothing, "the file is empty", "Move it away"),
    (write_garbage, "not a database", "left untouched"),
    (write_foreign, "some other program", "left untouched"),
    (write_truncated, "malformed", "sqlite3"),
    (write_newer, "newer replayproxy", "pipx upgrade replayproxy"),
]


@pytest.mark.parametrize(
    ("write", "reason", "hint"), UNUSABLE, ids=[write.__name__ for write, _, _ in UNUSABLE]
)
@pytest.mark.parametrize("opens", [Store, Writer])
def test_what_cannot_be_used_is_refused_with_a_reason_and_left_as_it_was(
    tmp_path: Path, write: object, reason: str, hint: str, opens: type[Store] | type[Writer]
) -> None:
    assert callable(write)
    path = tmp_path / "a.db"
    write(path)
    before = None if path.is_dir() else path.read_bytes()

    with pytest.raises(DatabaseError) as raised:
        opens(path)

    assert raised.value.exit_code == 3
    assert raised.value.path == path
    assert reason in raised.value.reason
    assert hint in raised.value.hint
    assert str(path) in str(raised.value)
    assert before == (None if path.is_dir() else path.read_bytes())


def test_there_is_nothing_to_read_before_something_was_recorded(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="it does not exist") as raised:
        open_for_reading(tmp_path / "a.db")

    assert "replayproxy record" in raised.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_database_with_damaged_pages_is_refused_by_the_recorder(tmp_path: Path) -> None:
    path = written(tmp_path / "a.db", {})
    damage(path, first_page=3)
    before = path.read_bytes()

    with pytest.raises(DatabaseError, match="malformed"):
        Writer(path)

    assert path.read_bytes() == before


def test_a_folder_is_made_where_there_is_none(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.db"

    open_for_writing(path).close()

    assert path.exists()
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_path_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(DatabaseError, match="Check the path") as raised:
        open_for_writing(tmp_path / "file" / "a.db")

    assert raised.value.reason


def test_all_files_are_private_from_the_first_byte(tmp_path: Path) -> None:
    was = os.umask(0)
    try:
        writer = Writer(tmp_path / "a.db")
        with Store(tmp_path / "a.db") as store:
            record(writer, *chunks((1, b"x")), ending=None)
            eventually(lambda: list(store.rows()))
        modes = {file.name: oct(file.stat().st_mode & 0o777) for file in tmp_path.iterdir()}
        writer.close()
    finally:
        os.umask(was)

    assert modes == dict.fromkeys(("a.db", "a.db-wal", "a.db-shm", "a.db-run-1"), "0o600")


def test_nothing_else_is_left_beside_a_new_database(tmp_path: Path) -> None:
    open_for_writing(tmp_path / "a.db").close()

    assert [file.name for file in tmp_path.iterdir()] == ["a.db"]


def test_a_file_system_without_hard_links_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(source: Path, destination: Path) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", no_links)

    open_for_writing(tmp_path / "a.db").close()
    open_for_writing(tmp_path / "a.db").close()

    assert [file.name for file in tmp_path.iterdir()] == ["a.db"]


@pytest.mark.parametrize("has_links", [True, False])
def test_of_two_that_create_at_once_the_first_one_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_links: bool
) -> None:
    path, link = tmp_path / "a.db", os.link

    def beaten(source: Path, destination: Path) -> None:
        monkeypatch.setattr(os, "link", link)
        with closing(open_for_writing(path).conn) as other:
            fingerprint_key(other)
        if not has_links:
            raise OSError(95, "Operation not supported")
        link(source, destination)

    monkeypatch.setattr(os, "link", beaten)

    with closing(open_for_writing(path).conn) as opened:
        found = opened.execute("SELECT count(*) FROM settings").fetchone()

    assert found == (1,)
    assert [file.name for file in tmp_path.iterdir()] == ["a.db"]


def test_many_processes_can_create_the_same_database_at_once(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from replayproxy.store import Writer
sys.stdin.readline()
Writer(Path(sys.argv[1])).close()
"""
    children = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path / "a.db")],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]

    errors = [child.communicate("go\n")[1] for child in children]

    assert (errors, [child.returncode for child in children]) == ([""] * 4, [0] * 4)
    with closing(open_for_reading(tmp_path / "a.db").conn) as opened:
        assert opened.execute("SELECT count(*) FROM runs").fetchone() == (4,)


def test_a_read_only_file_in_a_read_only_folder_can_be_replayed_but_not_recorded_into(
    folder: Path,
) -> None:
    path = written(folder / "a.db", {})
    path.chmod(0o444)
    folder.chmod(0o555)

    assert as_nobody("read", path) == "['/v1/chat/completions']"
    assert "Check the permissions of the file" in as_nobody("write", path)
    assert [file.name for file in folder.iterdir()] == ["a.db"]


def test_a_read_only_file_in_a_folder_of_ones_own_is_no_different(folder: Path) -> None:
    path = written(folder / "a.db", {})
    path.chmod(0o444)
    folder.chmod(0o777)
    before = path.read_bytes()

    assert as_nobody("read", path) == "['/v1/chat/completions']"
    assert "Check the permissions of the file" in as_nobody("write", path)
    assert path.read_bytes() == before


def test_no_database_can_be_made_in_a_read_only_folder(folder: Path) -> None:
    folder.chmod(0o555)

    assert "Check the path and its permissions" in as_nobody("write", folder / "a.db")


def test_rows_that_only_the_wal_file_has_are_not_passed_over(folder: Path, tmp_path: Path) -> None:
    writer = Writer(tmp_path / "a.db")
    record(writer, ending=None)
    with Store(tmp_path / "a.db") as store:
        eventually(lambda: list(store.rows()))
        for name in ("a.db", "a.db-wal"):
            shutil.copy(tmp_path / name, folder / name)
            (folder / name).chmod(0o444)
    writer.close()
    folder.chmod(0o555)

    assert "cannot use the database" in as_nobody("read", folder / "a.db")


def test_a_database_that_somebody_holds_is_refused_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "a.db")
    monkeypatch.setattr(connection, "BUSY_TIMEOUT_S", 0.05)

    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseError, match="Another program holds it"):
            open_for_writing(path)


def test_the_fingerprint_key_belongs_to_the_database(tmp_path: Path) -> None:
    keys = []
    for name in ("a.db", "a.db", "b.db"):
        with closing(open_for_writing(tmp_path / name).conn) as opened:
            keys.append(fingerprint_key(opened))

    assert keys[0] == keys[1] != keys[2]
    assert [len(key) for key in keys] == [32, 32, 32]


def test_an_equal_secret_has_an_equal_fingerprint_in_one_database_only(tmp_path: Path) -> None:
    headers = (("authorization", "Bearer sk-1"),)
    found = []
    for name in ("a.db", "b.db"):
        path = written(
            tmp_path / name,
            {"request": asking(headers=headers)},
            {"request": asking("other", headers=headers)},
        )
        with Store(path) as store:
            found.append([store.exchange(row["id"]).request.headers for row in store.rows()])

    assert found[0][0] == found[0][1]
    assert found[0][0] != found[1][0]


# A second version of the schema, as a release to come may have it.


@pytest.fixture
def tomorrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Today's package knows one migration and one view more."""
    later = migrations._Migration("m999_notes", _add_notes)
    monkeypatch.setattr(migrations, "_migrations", [*migrations._migrations, later])
    monkeypatch.setitem(views.VIEWS, "noted", "CREATE VIEW noted AS SELECT note FROM exchanges")


def _add_notes(db: Database, /) -> None:
    db.execute("ALTER TABLE exchanges ADD COLUMN note TEXT")
    db.execute("CREATE INDEX exchanges_note ON exchanges (note)")


def schema(path: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(path)) as opened:
        return opened.execute("SELECT type, name FROM sqlite_schema ORDER BY 1, 2").fetchall()


@pytest.mark.parametrize("opens", [open_for_writing, open_for_reading])
def test_an_older_database_is_brought_up_to_date(
    tmp_path: Path, opens: object, request: pytest.FixtureRequest
) -> None:
    assert callable(opens)
    path = written(tmp_path / "a.db", {})
    before = schema(path)
    request.getfixturevalue("tomorrow")

    with closing(opens(path).conn) as opened:
        assert opened.execute("SELECT note FROM noted").fetchall() == [(None,)]

    added = {("index", "exchanges_note"), ("view", "noted")}
    assert set(schema(path)) == {*before, *added}


def test_an_upgrade_that_fails_leaves_the_old_version(
    tmp_path: Path, tomorrow: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.db"
    with monkeypatch.context() as today:
        today.setattr(migrations, "_migrations", migrations._migrations[:-1])
        today.delitem(views.VIEWS, "noted")
        open_for_writing(path).close()
    before = schema(path)
    monkeypatch.setitem(views.VIEWS, "noted", "CREATE VIEW noted AS a mistake")

    with pytest.raises(DatabaseError):
        open_for_writing(path)

    assert schema(path) == before


KILLED_IN_AN_UPGRADE = """
import os, signal, sys
from pathlib import Path
from replayproxy.store.connection import open_for_writing
from replayproxy.store.migrations import migrations

@migrations()
def m999_notes(db):
    db.execute("ALTER TABLE exchanges ADD COLUMN note TEXT")
    os.kill(os.getpid(), signal.SIGKILL)

open_for_writing(Path(sys.argv[1]))
"""


def test_a_process_killed_in_an_upgrade_leaves_the_old_version(tmp_path: Path) -> None:
    path = written(tmp_path / "a.db", {})
    before = schema(path)

    child = subprocess.run(
        [sys.executable, "-c", KILLED_IN_AN_UPGRADE, str(path)], check=False, timeout=60
    )

    assert child.returncode == -signal.SIGKILL
    with Store(path) as store:
        assert [row["outcome"] for row in store.rows()] == ["upstream_closed"]
    assert schema(path) == before
