"""Databases as earlier versions wrote them: today's code reads them, and goes on with them."""

import shutil
import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from replayproxy.matching import match_key
from replayproxy.model import Ending, Exchange, Outcome, Usage
from replayproxy.redaction import FINGERPRINT_PREFIX
from replayproxy.store import Library, Store, Writer
from replayproxy.store.connection import open_for_reading
from replayproxy.store.migrations import migrations
from tests.builders import (
    DONE,
    EVENTS,
    JSON,
    NOON,
    a_head,
    asking,
    chunks,
    record,
    says,
)

DATA = Path(__file__).parents[1] / "data"
USAGE = b'data: {"usage":{"prompt_tokens":9,"completion_tokens":2}}\n\n'
STREAM = chunks((5_000_000, says("Hel")), (7_500_000, says("lo") + USAGE), (9_000_000, DONE))
UNFINISHED = chunks((6_000_000, says("never ")), (8_000_000, says("finished")))


@pytest.fixture(params=sorted(DATA.glob("schema_*.db")), ids=lambda path: path.stem)
def golden(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return Path(shutil.copy(request.param, tmp_path / "golden.db"))


def test_there_is_one_for_every_version_of_the_schema() -> None:
    names = {f"schema_{number}.db" for number in range(1, len(migrations._migrations) + 1)}

    assert {path.name for path in DATA.glob("schema_*.db")} == names


def test_every_exchange_is_read_as_it_was_recorded(golden: Path) -> None:
    with Store(golden) as store:
        assert [row["outcome"] for row in store.rows()] == [
            "completed",
            "completed",
            "client_closed",
            "upstream_closed",
            None,
        ]
        assert store.cassettes() == ["default", "other"]
        stream = store.exchange(1)
        secret, tag = stream.request.headers
        assert stream == Exchange(
            id=1,
            started_at=NOON,
            request=asking("stream", query=stream.request.query, headers=(secret, tag)),
            head=a_head(headers=EVENTS),
            outcome=Outcome.COMPLETED,
            ending=Ending.FINISHED,
            protocol="openai_chat",
            provider="openai",
            streamed=True,
            request_model="gpt-4o",
            usage=Usage(input_tokens=9, output_tokens=2),
            cost_usd=Decimal("0.25"),
            cost_source="reported",
            reported_cost_usd=Decimal("0.25"),
            first_event_ns=5_000_000,
            first_content_ns=5_000_000,
            end_offset_ns=9_000_000,
            chunk_count=3,
            response_bytes=sum(len(chunk.data) for chunk in STREAM),
            tag="team-a",
        )
        assert (secret[0], secret[1][:3], tag[1]) == ("Authorization", FINGERPRINT_PREFIX, "team-a")
        assert stream.request.query.startswith("alt=sse&key=fp%3A")
        assert store.chunks(1) == STREAM
        answer = store.exchange(2)
        assert answer.head is not None
        assert (answer.streamed, answer.response_model) == (False, "gpt-4o-2024")
        assert answer.head.headers[0] == JSON[0]
        assert store.exchange(4).head is None
        assert store.chunks(5) == UNFINISHED


def test_its_match_keys_still_answer(golden: Path) -> None:
    with Library(golden) as library:
        for content, cassette, exchange_id in (
            ("stream", "default", 1),
            ("json", "other", 2),
            ("hang up", "default", 3),
        ):
            asked = asking(content, query="alt=sse" if content == "stream" else "")
            found = library.recorded(match_key(asked), cassette=cassette, prefer=())
            assert found
            assert (found.after(0), found.count(), found.hosts) == (
                exchange_id,
                1,
                ("api.openai.com",),
            )


def test_its_views_are_read(golden: Path) -> None:
    with closing(open_for_reading(golden).conn) as connection:
        costs = connection.execute("SELECT model, exchanges, cost_usd FROM cost_by_model")
        assert costs.fetchall() == [("gpt-4o", 5, 1.0)]
        latency = connection.execute(
            "SELECT exchanges, p50_ms, max_ms FROM latency_by_day WHERE measure = 'duration_ms'"
        )
        assert latency.fetchall() == [(4, 4.0, 9.0)]
        rows = connection.execute("SELECT seq, offset_ms FROM chunks WHERE exchange_id = 1")
        assert rows.fetchall() == [(0, 5.0), (1, 7.5), (2, 9.0)]


def test_reading_a_database_of_this_version_changes_nothing(tmp_path: Path) -> None:
    newest = DATA / f"schema_{len(migrations._migrations)}.db"
    path = Path(shutil.copy(newest, tmp_path / "golden.db"))

    with Store(path) as store:
        assert len(list(store.rows())) == 5

    assert path.read_bytes() == newest.read_bytes()
    assert list(tmp_path.iterdir()) == [path]


def test_recording_goes_on_where_it_ended(golden: Path) -> None:
    writer = Writer(golden)
    record(writer, *STREAM, request=asking("new"))
    writer.close()

    assert (writer.interrupted_before, writer.recorded) == (1, 1)
    with Store(golden) as store:
        assert store.exchange(5).outcome is Outcome.INTERRUPTED
        assert store.chunks(5) == UNFINISHED
        assert (store.exchange(6).request, store.chunks(6)) == (asking("new"), STREAM)
    with closing(sqlite3.connect(golden)) as opened:
        assert opened.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
