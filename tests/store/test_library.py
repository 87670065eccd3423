"""What of a database may answer a request, and what is like it."""

import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from replayproxy.errors import DatabaseError, UnknownExchangeError
from replayproxy.matching import EXACT, MatchRules, match_key, parse_normalize
from replayproxy.model import Ending, Request
from replayproxy.recording import Policy
from replayproxy.store import Library, Store, Writer, delete
from tests.builders import a_request, asking, chunks, eventually, record, written
from tests.store.test_connection import damage

IGNORING = MatchRules(ignore=("$.messages",))


def found(library: Library, request: Request, *prefer: str, cassette: str = "default") -> list[int]:
    """The ids of what may answer, in their order."""
    return ids(library, match_key(request), *prefer, cassette=cassette)


def ids(library: Library, key: str, *prefer: str, cassette: str = "default") -> list[int]:
    recorded = library.recorded(key, cassette=cassette, prefer=prefer)
    got: list[int] = []
    while recorded and (next_id := recorded.after(got[-1] if got else 0)):
        got.append(next_id)
    if recorded:
        assert (recorded.count(), recorded.last()) == (len(got), got[-1])
    return got


def test_what_may_answer_is_what_was_answered_to_an_end(tmp_path: Path) -> None:
    asked = asking("one")
    path = tmp_path / "a.db"
    writer = Writer(path)
    for number, ending in enumerate(Ending):
        record(writer, *chunks((5, b"")), request=asking("one", host=f"{number}"), ending=ending)
    record(writer, request=asked, head=None, ending=Ending.UPSTREAM_CLOSED)
    record(writer, request=asked, cassette="other")
    record(writer, request=asking("two"))
    record(writer, request=asking("three"), ending=None)
    eventually(lambda: writer.recorded == 7)
    with Library(path) as library:
        assert list(Ending)[3:] == [Ending.INTERRUPTED]
        assert found(library, asking("three")) == []
        assert found(library, asked) == [1, 2, 3]
        assert found(library, asked, "2", "1") == [2, 3]
        assert found(library, asked, "elsewhere") == [1, 2, 3]
        assert found(library, asked, cassette="other") == [6]
        assert found(library, asked, cassette="none") == []
    writer.close()


def test_without_bodies_there_is_nothing_to_answer_with(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "a.db", policy=Policy(keep_bodies=False))
    record(writer, *chunks((5, b"x")), request=asking())
    writer.close()

    with Library(tmp_path / "a.db") as library:
        assert found(library, asking()) == []


def test_what_is_recorded_after_it_was_opened_is_not_played(tmp_path: Path) -> None:
    path = written(tmp_path / "a.db", {"request": asking("one")})
    with Library(path) as library:
        written(
            path,
            {"request": asking("one")},
            {"request": asking("two")},
            {"request": asking("one", host="a")},
        )

        assert found(library, asking("one")) == [1]
        assert found(library, asking("one"), "a") == [1]
        assert found(library, asking("two")) == []
        assert like(library, asking("one")) == [1]


def like(library: Library, request: Request, cassette: str = "default") -> list[int | None]:
    return [exchange.id for exchange in library.comparable(request, cassette=cassette)]


def test_a_miss_is_compared_with_what_is_new_or_of_about_its_size(tmp_path: Path) -> None:
    texts = ["x" * size for size in range(100)]
    path = written(tmp_path / "a.db", *({"request": asking(text)} for text in texts))
    with Library(path) as library:
        newest = list(range(100, 70, -1))

        assert like(library, asking("y" * 20)) == newest + list(range(50, 0, -1))
        assert like(library, asking("y" * 20, model="o3")) == newest
        assert like(library, asking(path="/v1/other")) == newest
        assert like(library, asking(), cassette="none") == []


def test_no_more_is_compared_than_a_moment_allows(tmp_path: Path) -> None:
    large = [{"request": asking(f"{n}" + "x" * 900_000)} for n in range(5)]
    with Library(written(tmp_path / "a.db", *large)) as library:
        assert like(library, asking()) == [5, 4, 3]


def test_keys_by_rules_are_made_once_and_kept(tmp_path: Path) -> None:
    path = written(
        tmp_path / "a.db",
        {"request": asking("one")},
        {"request": asking("two")},
        {"request": asking("two", model="o3")},
        {"request": asking("two"), "cassette": "other"},
        {"request": asking("two"), "ending": Ending.INTERRUPTED},
    )
    key = match_key(asking("new"), IGNORING)

    assert prepared(path, IGNORING, key) == ([1, 2], [(0, 3), (3, 3)])
    assert prepared(path, IGNORING, key) == ([1, 2], [(0, 0)])
    written(path, {"request": asking("three")})
    assert prepared(path, IGNORING, key) == ([1, 2, 6], [(0, 1), (1, 1)])
    with Store(path) as store:
        assert store.match_keys(1) == [
            (key, IGNORING),
            (match_key(asking("one")), EXACT),
        ]
        assert store.match_keys(5) == []
        assert store.row(1)["match_key"] == match_key(asking("one"))


def prepared(path: Path, rules: MatchRules, key: str) -> tuple[list[int], list[tuple[int, int]]]:
    """What a key by these rules finds, and the progress of making them."""
    told: list[tuple[int, int]] = []
    with Library(path) as library:
        library.prepare(
            rules, cassette="default", on_progress=lambda *progress: told.append(progress)
        )
        return ids(library, key), told


def test_rules_of_several_kinds_live_side_by_side(tmp_path: Path) -> None:
    path = written(tmp_path / "a.db", {"request": asking("2026-01-01")}, {"request": asking("x")})
    dates = MatchRules(normalize=(parse_normalize("date"),), on=("host",))
    with Library(path) as library:
        library.prepare(IGNORING, cassette="default")
        library.prepare(dates, cassette="default")

        assert ids(library, match_key(asking("y"), IGNORING)) == [1, 2]
        assert ids(library, match_key(asking("2025-02-02"), dates)) == [1]
        assert ids(library, match_key(asking("x"), dates.strict)) == [2]
        assert found(library, asking("x")) == [2]


def test_what_was_running_when_keys_were_made_gets_its_own_later(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    writer = Writer(path)
    tape = record(writer, request=asking("one"), ending=None)
    record(writer, request=asking("two"))
    eventually(lambda: writer.recorded == 1)
    key = match_key(asking("new"), IGNORING)
    assert prepared(path, IGNORING, key)[0] == [2]

    tape.end(Ending.FINISHED, 2_000)
    writer.close()

    assert prepared(path, IGNORING, key)[0] == [1, 2]


def test_deleting_an_exchange_deletes_its_keys(tmp_path: Path) -> None:
    path = written(tmp_path / "a.db", {"request": asking("one")}, {"request": asking("two")})
    prepared(path, IGNORING, "mk1:")
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA foreign_keys = ON")
        other.execute("DELETE FROM exchanges WHERE id = 1")
        other.commit()
        assert other.execute("SELECT DISTINCT exchange_id FROM match_keys").fetchall() == [(2,)]


def test_what_is_deleted_while_it_is_played_is_missed_once(tmp_path: Path) -> None:
    again = {"request": asking("one"), "body": chunks((5, b"x"))}
    path = written(tmp_path / "a.db", again, again)
    with Library(path) as library:
        assert found(library, asking("one")) == [1, 2]
        delete(path, [2])

        with pytest.raises(UnknownExchangeError):
            library.recording(2)

        assert found(library, asking("one")) == [1]


def test_where_nothing_can_be_written_keys_live_as_long_as_the_library(tmp_path: Path) -> None:
    path = written(tmp_path / "a.db", {"request": asking("one")}, {"request": asking("two")})
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA journal_mode = DELETE")
        other.execute("BEGIN IMMEDIATE")  # as good as a medium that cannot be written
        before = path.read_bytes()
        with Library(path) as library:
            library.prepare(IGNORING, cassette="default")

            assert ids(library, match_key(asking("new"), IGNORING)) == [1, 2]
            assert found(library, asking("two")) == [2]
    assert path.read_bytes() == before


def test_secrets_in_what_is_asked_are_compared_as_they_are_stored(tmp_path: Path) -> None:
    secret = asking(headers=(("x-team", "sk-1"), ("accept", "*/*")), query="key=k&a=1")
    path = written(tmp_path / "a.db", {"request": secret})

    with Library(path) as library:
        assert library.as_stored(secret) == library.exchange(1).request
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


READS: dict[str, Callable[[Library], object]] = {
    "recorded": lambda library: library.recorded("mk1:", cassette="default", prefer=()),
    "comparable": lambda library: library.comparable(asking(), cassette="default"),
    "prepare": lambda library: library.prepare(IGNORING, cassette="default"),
    "as_stored": lambda library: library.as_stored(asking()),
}


@pytest.mark.parametrize("read", READS)
def test_damaged_pages_are_reported_in_our_words(tmp_path: Path, read: str) -> None:
    path = written(tmp_path / "a.db", *({"request": asking(f"{n}")} for n in range(60)))
    with Library(path) as library:
        damage(path, first_page=1)

        with pytest.raises(DatabaseError, match="may be damaged"):
            READS[read](library)


def test_what_may_answer_is_found_among_very_many(tmp_path: Path) -> None:
    path = written(tmp_path / "a.db", {"request": a_request(method="GET", path="/v1/jobs/1")})
    key = match_key(a_request(method="GET", path="/v1/jobs/1"))
    with closing(sqlite3.connect(path)) as other:
        other.execute(
            """WITH RECURSIVE n(id) AS (SELECT 2 UNION ALL SELECT id + 1 FROM n WHERE id < 5000)
            INSERT INTO match_keys SELECT ?, 'default', 'host-' || (id % 3), id FROM n""",
            [key],
        )
        other.execute(
            "INSERT INTO exchanges (id, cassette, started_at, method, host, path, protocol, run_id)"
            " SELECT exchange_id, cassette, '', 'GET', host, '/', 'http', 1 FROM match_keys"
            " WHERE exchange_id > 1"
        )
        other.commit()
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    with Library(path) as library:
        library._connection.set_progress_handler(count, 10)
        recorded = library.recorded(key, cassette="default", prefer=["host-1"])
        assert recorded
        assert (recorded.hosts, recorded.after(0), recorded.after(1000), recorded.last()) == (
            ("host-1",),
            4,
            1003,
            4999,
        )
        assert steps < 100  # tens of instructions each, not thousands of rows
