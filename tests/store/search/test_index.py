"""The index holds what was said, once, for as long as it is stored, and nothing else."""

import json
import random
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from replayproxy.model import Ending, Request
from replayproxy.recording import Policy
from replayproxy.store import Rules, Upkeep, Writer, copy, delete, prune, search
from replayproxy.store.connection import open_for_writing
from replayproxy.store.search import Indexing, index
from replayproxy.store.upkeep import Chores
from tests.builders import (
    DONE,
    JSON,
    a_head,
    a_request,
    asking,
    chunks,
    eventually,
    record,
    says,
    written,
)

SYSTEM = "You are a harbourmaster."


@dataclass
class Turn:
    asked: str
    answered: str


def talk(writer: Writer, *turns: Turn, system: str = SYSTEM) -> None:
    """Record a conversation, each turn with all that went before."""
    messages = [{"role": "system", "content": system}]
    for turn in turns:
        messages.append({"role": "user", "content": turn.asked})
        body = json.dumps({"model": "m", "messages": messages}).encode()
        answer = chunks((5, says(turn.answered)), (6, DONE))
        record(writer, *answer, request=a_request(body=body))
        messages.append({"role": "assistant", "content": turn.answered})


def ids(path: Path, typed: str) -> list[int]:
    return [hit.row["id"] for hit in search.find(path, search.parse(typed), limit=100).hits]


def queued(path: Path) -> int:
    return search.find(path, search.parse("")).waiting


def vocabulary(path: Path) -> list[tuple[str, str, int]]:
    """Every word of the index: (word, column, exchange)."""
    with closing(sqlite3.connect(path)) as connection:
        if not index.is_there(connection):
            return []
        connection.execute(
            "CREATE VIRTUAL TABLE temp.words USING fts5vocab(main, search, instance)"
        )
        return connection.execute(
            "SELECT DISTINCT term, col, doc FROM words ORDER BY 1, 2, 3"
        ).fetchall()


def is_sound(path: Path) -> bool:
    with closing(open_for_writing(path).conn) as connection:
        connection.execute("INSERT INTO search (search) VALUES ('integrity-check')")
        return bool(connection.execute("PRAGMA integrity_check").fetchone() == ("ok",))


def files(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in path.parent.iterdir() if file.is_file())


@pytest.fixture
def talked(tmp_path: Path) -> Path:
    """1 to 3: a conversation; 4: another one with the same instructions."""
    writer = Writer(tmp_path / "a.db")
    talk(writer, Turn("alpha", "bravo"), Turn("charlie", "delta"), Turn("echo", "foxtrot"))
    talk(writer, Turn("golf", "hotel"))
    writer.close()
    search.catch_up(tmp_path / "a.db")
    return tmp_path / "a.db"


def test_each_turn_is_found_where_it_was_new_and_instructions_once(talked: Path) -> None:
    found = {word: ids(talked, word) for word in "alpha bravo charlie echo golf hotel".split()}

    assert found == {
        "alpha": [1], "bravo": [1], "charlie": [2], "echo": [3], "golf": [4], "hotel": [4],
    }  # fmt: skip
    assert ids(talked, "harbourmaster") == [1]


def test_the_same_question_is_found_as_often_as_it_was_asked(tmp_path: Path) -> None:
    path = written(tmp_path / "a.db", *({"request": asking("again")} for _ in range(3)))

    search.catch_up(path)

    assert ids(path, "again") == [3, 2, 1]


def test_scripts_without_spaces_are_found_by_parts_of_what_they_say(tmp_path: Path) -> None:
    said = "東京の天気はどうですか", "今天天气很好", "서울에서 만나요", "สวัสดีครับ"
    path = written(tmp_path / "a.db", *({"request": asking(text)} for text in said))
    search.catch_up(path)

    assert ids(path, "天気") == [1]
    assert ids(path, "天气很好") == [2]
    assert ids(path, "서울") == [3]
    assert ids(path, "ครับ") == [4]
    assert ids(path, "気天") == []
    (hit,) = search.find(path, search.parse("天気")).hits
    assert [(piece.text, piece.is_match) for piece in hit.prompt] == [
        ("東京の", False), ("天気", True), ("はどうですか", False),
    ]  # fmt: skip
    delete(path, [1, 2, 3, 4])
    assert vocabulary(path) == []


def test_a_growing_conversation_takes_the_space_of_its_growth(tmp_path: Path) -> None:
    words = [f"word{number}" for number in range(40)]
    writer = Writer(tmp_path / "a.db")
    talk(writer, *(Turn(f"{word} asked", f"{word} answered") for word in words))
    writer.close()

    search.catch_up(tmp_path / "a.db")

    assert [len(ids(tmp_path / "a.db", word)) for word in words] == [1] * 40
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection:
        (occurrences,) = connection.execute("SELECT sum(length(sz)) FROM search_docsize").fetchone()
    assert occurrences == 2 * 40  # a byte for each small column, not for each repetition


def test_what_goes_is_found_no_more_and_what_others_repeat_is_found_with_them(
    talked: Path,
) -> None:
    delete(talked, [1])
    search.catch_up(talked)

    assert ids(talked, "alpha") == [2]  # still part of what was sent then
    assert ids(talked, "bravo") == [2]
    assert ids(talked, "harbourmaster") == [2]
    delete(talked, [2, 3])
    search.catch_up(talked)
    assert ids(talked, "alpha") == ids(talked, "echo") == []
    assert ids(talked, "harbourmaster") == [4]
    assert is_sound(talked)


def test_words_of_what_was_deleted_are_nowhere_in_the_file(talked: Path) -> None:
    assert b"foxtrot" in files(talked)

    delete(talked, [1, 2, 3])

    for word in (b"alpha", b"bravo", b"charlie", b"foxtrot"):
        assert word not in files(talked)
    assert b"golf" in files(talked)
    assert is_sound(talked)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    conversations=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    gone=st.lists(st.integers(1, 16), max_size=6),
    between=st.booleans(),
)
def test_after_any_deletion_the_index_says_what_a_new_one_would(
    tmp_path_factory: pytest.TempPathFactory,
    conversations: list[int],
    gone: list[int],
    between: bool,
) -> None:
    path = tmp_path_factory.mktemp("any") / "a.db"
    writer = Writer(path)
    for number, turns in enumerate(conversations):
        said = [Turn(f"asked{number}x{turn}", f"told{number}x{turn}") for turn in range(turns)]
        talk(writer, *said, system=f"instructions{number % 2}")
    writer.close()
    search.catch_up(path)
    for exchange_id in {number for number in gone if number <= sum(conversations)}:
        delete(path, [exchange_id])
        if between:
            search.catch_up(path)
    search.catch_up(path)
    words = {word for word, _, _ in vocabulary(path)}

    with closing(open_for_writing(path).conn) as connection:
        index.start_over(connection)
        connection.commit()
    search.catch_up(path)

    assert {word for word, _, _ in vocabulary(path)} == words
    assert not words or is_sound(path)


def test_bodies_that_are_not_kept_are_not_indexed(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "a.db", policy=Policy(keep_bodies=False))
    record(writer, *chunks((5, says("answer")), (6, DONE)), request=asking("question"))
    writer.close()

    search.catch_up(tmp_path / "a.db")

    assert queued(tmp_path / "a.db") == 0
    assert vocabulary(tmp_path / "a.db") == []
    assert b"question" not in files(tmp_path / "a.db")


def test_what_would_be_freed_counts_the_index(tmp_path: Path) -> None:
    noise = random.Random(1)
    words = ["".join(noise.choices("abcdefghijklmno", k=7)) for _ in range(4_000)]
    said = [" ".join(noise.choices(words, k=200)) for _ in range(200)]
    path = written(tmp_path / "a.db", *({"request": asking(text)} for text in said))
    search.catch_up(path)

    foreseen = prune(path, Rules(keep=20), dry_run=True).bytes_freed
    freed = prune(path, Rules(keep=20)).bytes_freed

    assert foreseen == pytest.approx(freed, rel=0.2)


def test_a_minted_key_is_not_in_the_index(tmp_path: Path) -> None:
    request = Request(
        method="POST", scheme="https", host="api.aigateway.sh", port=443, path="/v1/sub-accounts"
    )
    answer = b'{"id": "sub", "key": "sk-aig-s3cr3tkey0123456789abcdef", "name": "visible"}'
    writer = Writer(tmp_path / "a.db")
    record(writer, *chunks((5, answer)), request=request, head=a_head(headers=JSON))
    writer.close()

    search.catch_up(tmp_path / "a.db")

    assert ids(tmp_path / "a.db", "visible") == [1]
    assert b"s3cr3tkey" not in files(tmp_path / "a.db")


def test_a_recorder_indexes_once_it_is_quiet(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    writer = Writer(path, upkeep=Indexing(quiet_s=0.05))
    record(writer, *chunks((5, says("first")), (6, DONE)), request=asking("hello"))

    eventually(lambda: ids(path, "first") == [1])
    record(writer, *chunks((5, says("second")), (6, DONE)), request=asking("hello"))
    eventually(lambda: ids(path, "second") == [2])
    writer.close()

    assert (writer.recorded, writer.not_recorded) == (2, 0)


def test_what_is_in_flight_waits_until_it_has_ended(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    writer = Writer(path)
    tape = record(writer, *chunks((5, says("half "))), request=asking("hello"), ending=None)
    eventually(path.exists)
    search.catch_up(path)
    before = queued(path), ids(path, "half")
    tape.end(Ending.FINISHED, 9)
    writer.close()
    search.catch_up(path)

    assert before == (0, [])
    assert ids(path, "half") == [1]


def test_what_a_killed_recorder_left_is_indexed_once_it_is_recovered(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "a.db")
    record(writer, *chunks((5, says("half "))), request=asking("hello"), ending=None)
    record(writer, *chunks((5, says("whole")), (6, DONE)), request=asking("hello"))
    eventually(lambda: writer.recorded == 1)
    (tmp_path / "killed").mkdir()
    killed = tmp_path / "killed" / "a.db"  # as kill -9 leaves it
    eventually(lambda: _has_journal(tmp_path / "a.db"))
    with (
        closing(sqlite3.connect(tmp_path / "a.db")) as source,
        closing(sqlite3.connect(killed)) as target,
    ):
        source.backup(target)
    writer.close()

    Writer(killed).close()
    search.catch_up(killed)

    assert (ids(killed, "whole"), ids(killed, "half")) == ([2], [1])


def _has_journal(path: Path) -> bool:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT 1 FROM journal").fetchone() is not None


@pytest.mark.parametrize(
    "damage", ["UPDATE search_data SET block = x'00'", "DROP TABLE search_idx"]
)
def test_a_damaged_index_is_made_anew_and_costs_nothing_else(talked: Path, damage: str) -> None:
    with closing(sqlite3.connect(talked)) as connection, connection:
        connection.execute(damage)
    writer = Writer(talked, upkeep=Indexing(quiet_s=0.01))
    record(writer, *chunks((5, says("after")), (6, DONE)), request=asking("damage"))

    eventually(lambda: writer.recorded == 1)
    eventually(lambda: queued(talked) == 0)
    writer.close()

    assert writer.not_recorded == 0
    assert ids(talked, "damage after") == [5]
    assert ids(talked, "golf") == [4]
    assert is_sound(talked)


def test_a_damaged_index_does_not_keep_exchanges_from_being_deleted(talked: Path) -> None:
    with closing(sqlite3.connect(talked)) as connection, connection:
        connection.execute("UPDATE search_data SET block = x'00'")

    assert prune(talked, Rules(keep=1)).exchanges == 3

    search.catch_up(talked)
    assert ids(talked, "golf") == [4]
    assert ids(talked, "alpha") == []


def test_a_recorder_that_prunes_and_indexes_keeps_both_consistent(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    upkeep = Upkeep(path, lambda: Rules(keep=3), every_s=0.01)
    writer = Writer(path, upkeep=Chores(Indexing(quiet_s=0.0), upkeep))
    for number in range(12):
        record(writer, *chunks((5, says(f"told{number}")), (6, DONE)), request=asking("hello"))
        eventually(lambda number=number: writer.recorded > number)  # type: ignore[misc]
    eventually(lambda: upkeep.exchanges == 9)
    eventually(lambda: queued(path) == 0)
    writer.close()

    assert (writer.recorded, writer.not_recorded) == (12, 0)
    assert ids(path, "told*") == [12, 11, 10]
    assert {doc for _, _, doc in vocabulary(path)} == {10, 11, 12}
    assert is_sound(path)


def test_a_copy_has_no_index_until_somebody_searches_it(talked: Path) -> None:
    copied = talked.with_name("copy.db")
    copy(talked, copied)

    assert b"foxtrot" not in copied.read_bytes()
    assert (ids(copied, "foxtrot"), queued(copied)) == ([], 4)
    search.catch_up(copied)
    assert ids(copied, "foxtrot") == [3]


def test_an_old_database_is_indexed_once_with_progress(tmp_path: Path) -> None:
    golden = Path(__file__).parents[2] / "data" / "schema_3.db"
    path = Path(shutil.copy(golden, tmp_path / "old.db"))
    told: list[tuple[int, int]] = []
    waiting = queued(path)

    search.catch_up(path, on_progress=lambda done, of_all: told.append((done, of_all)))

    assert waiting == 4
    assert told[-1] == (4, 4)
    assert ids(path, "hang") == [3]
    search.catch_up(path, on_progress=lambda done, of_all: pytest.fail("twice"))
