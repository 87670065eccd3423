"""Pruning beside a real recorder: what is kept is whole, and the disk gets its space back."""

import json
import random
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from replayproxy.model import Outcome
from replayproxy.store import Store
from replayproxy.store.connection import register_functions
from tests.builders import eventually
from tests.end_to_end.commands import body_of, listed, run, serving
from tests.end_to_end.upstream import (
    LAST_CHUNK,
    STREAM_HEAD,
    Received,
    Send,
    Step,
    Upstream,
    Wait,
    chunk,
    streamed,
)
from tests.end_to_end.wire import Answer, post

PATH = "/v1/chat/completions"
KEPT = 25
WAVES, WAVE = 4, 60
REQUESTS = WAVES * WAVE


def ask(number: int) -> dict[str, object]:
    """Large enough for its own pages, and like no other."""
    noise = random.Random(number).randbytes(6_000).hex()
    return {"model": f"gpt-{number}", "messages": [{"role": "user", "content": noise}]}


def answer(model: str) -> list[bytes]:
    events = [
        {"model": model, "choices": [{"index": 0, "delta": {"content": f"{n} "}}]} for n in range(5)
    ]
    return [*(f"data: {json.dumps(e)}\n\n".encode() for e in events), b"data: [DONE]\n\n"]


def answering(release: threading.Event) -> Callable[[Received], list[Step]]:
    """Streams; that of "slow" stops in the middle until it is let go."""

    def script(request: Received) -> list[Step]:
        model = json.loads(request.body)["model"]
        if model != "slow":
            return streamed(answer(model))
        first, *rest = (Send(chunk(data)) for data in answer(model))
        return [Send(STREAM_HEAD), first, Wait(release), *rest, Send(LAST_CHUNK)]

    return script


def more_than(things: list[object], number: int) -> bool:
    return len(things) > number


def open_database(folder: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(folder / "replayproxy.db")
    register_functions(connection)
    return connection


def assert_sound(folder: Path) -> None:
    """Undamaged, nothing refers to nothing, no body is left over, every view can be read."""
    with closing(open_database(folder)) as opened:
        assert opened.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert opened.execute("PRAGMA foreign_key_check").fetchall() == []
        bodies, referred = (
            {row[0] for row in opened.execute(sql)}
            for sql in (
                "SELECT id FROM bodies",
                """SELECT body_id FROM requests WHERE body_id IS NOT NULL
                UNION SELECT body_id FROM responses WHERE body_id IS NOT NULL""",
            )
        )
        assert bodies == referred
        (exchanges,) = opened.execute("SELECT count(*) FROM exchanges").fetchone()
        (counted,) = opened.execute("SELECT sum(exchanges) FROM cost_by_model").fetchone()
        assert (counted or 0) == exchanges
        streamed_chunks = opened.execute("SELECT count(DISTINCT exchange_id) FROM chunks")
        assert streamed_chunks.fetchone() == (exchanges,)
        for (name,) in opened.execute("SELECT name FROM sqlite_schema WHERE type = 'view'"):
            opened.execute(f"SELECT * FROM {name}").fetchall()


def test_prune_in_a_loop_beside_a_recorder_loses_nothing_that_is_kept(tmp_path: Path) -> None:
    release, stop = threading.Event(), threading.Event()
    prunings: list[Any] = []

    def prune_in_a_loop(folder: Path) -> None:
        while not stop.is_set():
            prunings.append(run("prune", "--keep", str(KEPT), "--json", cwd=folder))

    with (
        Upstream(answering(release)) as upstream,
        serving("record", "--upstream", upstream.origin, cwd=tmp_path) as recorder,
        ThreadPoolExecutor() as pool,
    ):
        slow = pool.submit(post, recorder.url + PATH, {"model": "slow"})
        eventually(lambda: any(row["request_model"] == "slow" for row in listed(tmp_path)))
        pruner = pool.submit(prune_in_a_loop, tmp_path)
        answers: list[Answer] = []
        for wave in range(WAVES):
            numbers = range(wave * WAVE, (wave + 1) * WAVE)
            answers += pool.map(lambda number: post(recorder.url + PATH, ask(number)), numbers)
            eventually(partial(more_than, prunings, wave))
        release.set()
        assert slow.result().chunks == answer("slow")
        stop.set()
        pruner.result()
        recorder.stop()
        assert (recorder.code, "NOT recorded" in recorder.words) == (0, False)
        assert f"recorded {REQUESTS + 1} exchanges" in recorder.words
    last = run("prune", "--keep", str(KEPT), cwd=tmp_path)

    assert [got.chunks for got in answers] == [answer(f"gpt-{n}") for n in range(REQUESTS)]
    assert [done.returncode for done in (*prunings, last)] == [0] * (len(prunings) + 1)
    assert sum(json.loads(done.stdout)["exchanges"] for done in prunings) > REQUESTS // 2
    with Store(tmp_path / "replayproxy.db") as store:
        kept = [store.exchange(row["id"]) for row in store.rows()]
        assert len(kept) == KEPT
        for exchange in kept:
            model = str(exchange.request_model)
            asked = {"model": model} if model == "slow" else ask(int(model.removeprefix("gpt-")))
            assert json.loads(exchange.request.body) == asked
            chunks = store.chunks(exchange.id or 0)
            assert b"".join(chunk.data for chunk in chunks) == b"".join(answer(model))
            assert exchange.outcome is Outcome.COMPLETED
    assert_sound(tmp_path)
    assert sum(json.loads(done.stdout)["bytes_freed"] for done in prunings) > 1_000_000
    assert (tmp_path / "replayproxy.db").stat().st_size < 600_000
    assert not (tmp_path / "replayproxy.db-wal").exists()


def test_a_running_stream_outlives_every_pruning(tmp_path: Path) -> None:
    release = threading.Event()
    with (
        Upstream(answering(release)) as upstream,
        serving("record", "--upstream", upstream.origin, cwd=tmp_path) as recorder,
        ThreadPoolExecutor() as pool,
    ):
        post(recorder.url + PATH, ask(1))
        slow = pool.submit(post, recorder.url + PATH, {"model": "slow"})
        eventually(lambda: [row["outcome"] for row in listed(tmp_path)] == ["completed", None])

        done = run("prune", "--keep", "0", "--older-than", "0h", "--max-size", "1kB", cwd=tmp_path)
        named = run("delete", "2", cwd=tmp_path)
        release.set()
        assert slow.result().chunks == answer("slow")

    assert "deleted 1 exchange, 2 bodies" in done.stderr
    assert (named.returncode, "still running" in named.stderr) == (1, True)
    assert [(row["id"], row["outcome"]) for row in listed(tmp_path)] == [(2, "completed")]
    assert body_of(2, tmp_path) == b"".join(answer("slow"))
    assert_sound(tmp_path)


def test_a_recorder_prunes_its_own_cassette_by_itself(tmp_path: Path) -> None:
    with Upstream(answering(threading.Event())) as upstream:
        record = ("record", "--upstream", upstream.origin, "--cassette")
        for cassette, numbers in (("golden", range(6)), ("daily", range(6, 12))):
            with serving(*record, cassette, cwd=tmp_path) as recorder:
                for number in numbers:
                    post(recorder.url + PATH, ask(number))
        before = (tmp_path / "replayproxy.db").stat().st_size

        with serving(*record, "daily", "--prune-keep", "1", cwd=tmp_path) as recorder:
            eventually(lambda: len(listed(tmp_path)) == 7)
            eventually(lambda: (tmp_path / "replayproxy.db").stat().st_size < before - 30_000)
            assert post(recorder.url + PATH, ask(99)).chunks == answer("gpt-99")

    assert "pruned 5 exchanges; " in recorder.words
    assert recorder.words.splitlines()[-1].startswith("recorded 1 exchange")
    assert [row["request_model"] for row in listed(tmp_path)] == [
        *(f"gpt-{number}" for number in range(6)),
        "gpt-11",
        "gpt-99",
    ]
    assert_sound(tmp_path)
