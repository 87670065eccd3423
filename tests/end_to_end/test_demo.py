"""`replayproxy demo` does the whole job by itself and checks it."""

import sqlite3
from pathlib import Path

from tests.end_to_end.commands import listed, run


def test_the_demo_records_replays_verifies_and_ends(tmp_path: Path) -> None:
    ended = run("demo", cwd=tmp_path)

    assert ended.returncode == 0, ended.stderr
    assert "Identical: every byte, every chunk border." in ended.stdout
    assert "The gateway was asked 4 times, all of them while recording." in ended.stdout
    assert "replayproxy dashboard --db replayproxy-demo.db --open" in ended.stdout


def test_what_the_demo_recorded_is_whole_and_priced(tmp_path: Path) -> None:
    run("demo", "--db", "mine.db", cwd=tmp_path)

    with sqlite3.connect(tmp_path / "mine.db") as connection:
        rows = connection.execute(
            "SELECT request_model, streamed, outcome, finish_reason, cost_usd FROM exchanges"
        ).fetchall()
    connection.close()
    # 24 tokens in at $3 and 55 out at $15 a million: as the gateway says, or as the list does
    story = (24 * 3 + 55 * 15) / 1_000_000
    assert rows == [
        ("anthropic/claude-sonnet-4", 1, "completed", "stop", story),
        ("openai/gpt-4o", 1, "completed", "tool_calls", (24 * 3 + 9 * 15) / 1_000_000),
        ("openai/gpt-4o-mini", 1, "completed", "stop", (24 * 3 + 16 * 15) / 1_000_000),
        ("anthropic/claude-sonnet-4", 0, "completed", "stop", story),
    ]


def test_the_demo_overwrites_nothing_of_somebody_elses(tmp_path: Path) -> None:
    (tmp_path / "precious.db").write_text("mine")

    ended = run("demo", "--db", "precious.db", cwd=tmp_path)

    assert ended.returncode == 1
    assert "precious.db exists already" in ended.stderr
    assert (tmp_path / "precious.db").read_text() == "mine"
    assert listed(tmp_path) == []
