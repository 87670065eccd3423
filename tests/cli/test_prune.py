"""`replayproxy delete` and `replayproxy prune`: the words, the JSON, the exit codes."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from replayproxy.cli import main
from replayproxy.cli.rules import PruneOptions, summary
from replayproxy.store import Pruned, Rules, Store, Writer
from tests.builders import NOON, asking, chunks, eventually, record, says, written

HELLO = chunks((5, says("Hello")))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Ten exchanges, one a day from noon on; the odd days are those of another cassette."""
    return written(
        tmp_path / "a.db",
        *(
            {
                "request": asking(str(day)),
                "body": HELLO,
                "started_at": NOON + timedelta(days=day),
                "cassette": "odd" if day % 2 else "default",
            }
            for day in range(10)
        ),
    )


def run(path: Path, command: str) -> Result:
    name, *arguments = command.split()
    return CliRunner().invoke(main, [name, "--db", str(path), *arguments])


def ids(path: Path) -> list[int]:
    with Store(path) as store:
        return [row["id"] for row in store.rows()]


@pytest.mark.parametrize(
    ("command", "left"),
    [
        ("delete 1", [2, 3, 4, 5, 6, 7, 8, 9, 10]),
        ("delete 3 4 3 10", [1, 2, 5, 6, 7, 8, 9]),
        ("delete --cassette odd", [1, 3, 5, 7, 9]),
        ("prune --keep 3", [8, 9, 10]),
        ("prune --keep 100", list(range(1, 11))),
        ("prune --older-than 2026-09-09", [9, 10]),
        ("prune --older-than 2026-09-09T13:00+01:00", [9, 10]),
        ("prune --older-than 2026-09-04 --keep 8 --cassette odd", [1, 3, 4, 5, 6, 7, 8, 9, 10]),
        ("prune --older-than 2026-09-04 --keep 2 --cassette odd", [1, 3, 5, 7, 8, 9, 10]),
        ("prune --max-size 500MB", list(range(1, 11))),
        ("prune --max-size 1kB --cassette default", [2, 4, 6, 8, 10]),
    ],
)
def test_what_was_asked_for_goes(path: Path, command: str, left: list[int]) -> None:
    foreseen = run(path, f"{command} --dry-run")
    assert ids(path) == list(range(1, 11))

    done = run(path, command)

    assert (foreseen.exit_code, done.exit_code) == (0, 0)
    assert ids(path) == left
    gone = f"{10 - len(left)} exchange{'' if len(left) == 9 else 's'}, "
    assert foreseen.stderr.startswith(f"would delete {gone}")
    assert done.stderr.startswith(f"deleted {gone}")
    assert (foreseen.stdout, done.stdout) == ("", "")
    assert (foreseen.stderr.count("\n"), done.stderr.count("\n")) == (1, 1)


def test_for_machines_there_is_json(path: Path) -> None:
    before = path.stat().st_size

    result = run(path, "prune --keep 4 --json")

    assert json.loads(result.stdout) == {
        "dry_run": False,
        "exchanges": 6,
        "bodies": 6,
        "bytes_freed": before - path.stat().st_size,
        "bytes_free_inside": 0,
        "bytes_used": path.stat().st_size,
        "still_running": 0,
        "undone": None,
    }
    assert result.stderr.startswith("deleted 6 exchanges, 6 bodies; ")


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        ("delete", 2, "say what to delete: ids"),
        ("delete 3 --cassette odd", 2, "say what to delete: ids"),
        ("delete three", 2, "'three' is not a valid integer"),
        ("delete 3 77", 1, "has no exchange 77"),
        ("delete --cassette even", 2, "has no cassette 'even'; there is 'default', 'odd'"),
        ("prune", 2, "--older-than, --keep or --max-size"),
        ("prune --cassette odd", 2, "--older-than, --keep or --max-size"),
        ("prune --keep -1", 2, "-1 is not in the range"),
        ("prune --older-than 6m", 2, "'6m' is no age (12h, 30d, 4w) and no date (2026-01-31)"),
        ("prune --older-than 30", 2, "'30' is no age"),
        ("prune --older-than -30d", 2, "'-30d' is no age"),
        ("prune --older-than 99999999d", 2, "is no age"),
        ("prune --older-than 99999999999999999999d", 2, "is no age"),
        ("prune --older-than 3000w", 2, "is no age"),
        ("prune --older-than 0900-01-01", 2, "is no age"),
        ("prune --older-than 2026-02-30", 2, "is no age"),
        ("prune --max-size 500", 2, "'500' is no size such as 500MB, 2GB or 512MiB"),
        ("prune --max-size lots", 2, "'lots' is no size"),
        ("prune --max-size 5PB", 2, "'5PB' is no size"),
    ],
)
def test_what_makes_no_sense_is_said_and_nothing_is_deleted(
    path: Path, command: str, code: int, words: str
) -> None:
    result = run(path, command)

    assert (result.exit_code, result.stdout) == (code, "")
    assert words in result.stderr
    assert "Traceback" not in result.stderr
    assert ids(path) == list(range(1, 11))


@pytest.mark.parametrize("command", ["delete 1", "delete --cassette x", "prune --keep 1"])
def test_a_database_that_is_not_there_is_exit_3(tmp_path: Path, command: str) -> None:
    result = run(tmp_path / "none.db", command)

    assert (result.exit_code, "it does not exist" in result.stderr) == (3, True)
    assert list(tmp_path.iterdir()) == []


def test_an_exchange_that_is_running_is_not_deleted_and_that_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    writer = Writer(path)
    record(writer, *HELLO, ending=None)
    with Store(path) as store:
        eventually(lambda: store.chunks(1))

    results = [run(path, command) for command in ("delete 1", "prune --keep 0", "delete 1 --json")]
    writer.close()

    assert [result.exit_code for result in results] == [1, 0, 1]
    assert all("1 exchange is still running, so not deleted" in r.stderr for r in results)
    assert json.loads(results[2].stdout)["still_running"] == 1
    assert ids(path) == [1]


@pytest.mark.parametrize(
    ("arguments", "rules"),
    [
        ("--older-than 12h", Rules(before=NOON - timedelta(hours=12))),
        ("--older-than 30d", Rules(before=NOON - timedelta(days=30))),
        ("--older-than 4w", Rules(before=NOON - timedelta(weeks=4))),
        ("--older-than 0h", Rules(before=NOON)),
        ("--older-than 2026-01-31", Rules(before=datetime(2026, 1, 31, tzinfo=UTC))),
        ("--older-than 2026-01-31T12:30", Rules(before=datetime(2026, 1, 31, 12, 30, tzinfo=UTC))),
        ("--keep 0", Rules(keep=0)),
        ("--max-size 500MB", Rules(max_bytes=500_000_000)),
        ("--max-size 1.5g", Rules(max_bytes=1_500_000_000)),
        ("--max-size 2GiB", Rules(max_bytes=2 * 1024**3)),
        ("--max-size 64k", Rules(max_bytes=64_000)),
        ("--max-size 1TB --keep 7", Rules(max_bytes=10**12, keep=7)),
    ],
)
@pytest.mark.parametrize(("command", "prefix"), [("prune", "--"), ("record", "--prune-")])
def test_the_rules_mean_what_they_say(
    arguments: str, rules: Rules, command: str, prefix: str
) -> None:
    given = arguments.replace("--", prefix).split()

    with main.commands[command].make_context(command, given) as context:
        values = {
            name.removeprefix("prune_"): value
            for name, value in context.params.items()
            if name.removeprefix("prune_") in {"older_than", "keep", "max_size"}
        }

    options = PruneOptions(
        older_than=values["older_than"],
        keep=values["keep"],
        max_bytes=values["max_size"],
        cassette=None,
    )
    assert (bool(options), options.at(NOON)) == (True, rules)


def test_the_summary_says_what_is_left_to_do() -> None:
    pruned = Pruned(
        exchanges=1,
        bodies=34,
        bytes_freed=12_345_678,
        bytes_free_inside=4_000,
        bytes_used=10,
        still_running=2,
        undone="somebody reads",
    )

    assert summary(pruned) == (
        "deleted 1 exchange, 34 bodies; 12.3 MB given back, 4.0 kB free for new recordings; "
        "2 exchanges are still running, so not deleted (somebody reads)"
    )
