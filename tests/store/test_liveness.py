"""A run lives as long as its process, however that ends."""

import subprocess
import sys
from pathlib import Path

from replayproxy.store.liveness import RunLock, forget_dead_runs, is_alive, lock_file
from tests.builders import eventually

CHILD = """
import sys
from pathlib import Path
from replayproxy.store.liveness import RunLock

lock = RunLock(Path(sys.argv[1]), 7)
print("locked", flush=True)
sys.stdin.read()
"""


def test_a_run_is_alive_until_its_process_is_killed(tmp_path: Path) -> None:
    database = tmp_path / "a.db"
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(database)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "locked\n"
        assert is_alive(database, 7)
        assert not is_alive(database, 8)

        child.kill()

    assert eventually(lambda: not is_alive(database, 7))


def test_two_runs_of_one_process_are_told_apart(tmp_path: Path) -> None:
    database = tmp_path / "a.db"

    first, second = RunLock(database, 1), RunLock(database, 2)
    assert is_alive(database, 1)
    assert is_alive(database, 2)

    second.release()

    assert is_alive(database, 1)
    assert not is_alive(database, 2)
    first.release()
    assert not is_alive(database, 1)


def test_a_lock_can_be_released_twice_and_leaves_nothing_behind(tmp_path: Path) -> None:
    lock = RunLock(tmp_path / "a.db", 1)

    lock.release()
    lock.release()

    assert not is_alive(tmp_path / "a.db", 1)
    assert list(tmp_path.iterdir()) == []


def test_what_a_dead_run_left_behind_can_be_removed(tmp_path: Path) -> None:
    side_file = lock_file(tmp_path / "a.db", 1)
    side_file.touch()
    assert not is_alive(tmp_path / "a.db", 1)

    forget_dead_runs(tmp_path / "a.db")
    forget_dead_runs(tmp_path / "a.db")

    assert not side_file.exists()


def test_without_a_side_file_nothing_is_alive(tmp_path: Path) -> None:
    assert not is_alive(tmp_path / "a.db", 1)


def test_asking_makes_no_file_and_the_side_file_is_private(tmp_path: Path) -> None:
    side_file = lock_file(tmp_path / "a.db", 1)
    is_alive(tmp_path / "a.db", 1)
    assert not side_file.exists()

    lock = RunLock(tmp_path / "a.db", 1)

    assert side_file.name == "a.db-run-1"
    assert side_file.stat().st_mode & 0o777 == 0o600
    lock.release()
    assert not side_file.exists()
