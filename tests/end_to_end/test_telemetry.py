"""Recording and replaying with a collector: a live one, and ones that are none."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from replayproxy.store.connection import register_functions
from tests.end_to_end.commands import body_of, listed, mitmdump, run, serving
from tests.end_to_end.upstream import Upstream, streamed
from tests.end_to_end.wire import post
from tests.telemetry.collector import Collector, collecting, values

PATH = "/v1/chat/completions"
ASK = {"model": "anthropic/claude-sonnet-4", "stream": True, "messages": [], "temperature": 0.5}
EVENT = b'data: {"id":"c1","choices":[{"index":0,"delta":{"content":"%d"}}]}\n\n'
USAGE = b'data: {"usage":{"prompt_tokens":1000,"completion_tokens":100}}\n\n'
CHUNKS = [*(EVENT % number for number in range(3)), USAGE, b"data: [DONE]\n\n"]
TRACE, PARENT = "a" * 32, "b" * 16
COST = 0.0045  # 1000 * 3 USD + 100 * 15 USD for a million tokens


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with collecting() as running:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", running.url)
        yield running


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream(lambda request: streamed(CHUNKS)) as running:
        yield running


def ask(url: str) -> bytes:
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
    return post(f"{url}{PATH}", ASK, headers=headers).body


def test_live_and_replayed_exchanges_reach_the_collector_and_the_file(
    tmp_path: Path, collector: Collector, upstream: Upstream
) -> None:
    with serving("record", "--upstream", upstream.origin, cwd=tmp_path) as recorder:
        assert ask(recorder.url) == b"".join(CHUNKS)
        assert recorder.stop() == 0, recorder.words
    live = collector.span()
    with serving("replay", "--speed", "instant", cwd=tmp_path) as player:
        assert ask(player.url) == b"".join(CHUNKS)
        assert player.stop() == 0, player.words
    replayed = collector.span()

    for span in (live, replayed):
        assert span.name == "chat anthropic/claude-sonnet-4"
        assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, PARENT)
    assert live.span_id != replayed.span_id
    said = values(live.attributes)
    assert said["gen_ai.usage.input_tokens"] == 1000
    assert said["gen_ai.request.temperature"] == 0.5
    assert (said["replayproxy.cost.usd"], said["replayproxy.replayed"]) == (COST, False)
    said = values(replayed.attributes)
    assert "gen_ai.usage.input_tokens" not in said
    assert (said["replayproxy.cost.usd"], said["replayproxy.replayed"]) == (0.0, True)
    assert said["replayproxy.avoided.cost.usd"] == COST
    assert "gen_ai.client.token.usage" in collector.metrics
    with closing(sqlite3.connect(tmp_path / "replayproxy.db")) as opened:
        register_functions(opened)
        for view, span in (("spans", live), ("replay_spans", replayed)):
            rows = opened.execute(f"SELECT span_id FROM {view}").fetchall()
            assert rows == [(span.span_id.hex(),)]
    total = json.loads(run("stats", "--json", cwd=tmp_path).stdout)["total"]
    assert (total["exchanges"], total["cost_usd"]) == (1, COST)
    assert (total["replays"], total["avoided_cost_usd"]) == (1, COST)


def test_the_addons_for_stock_mitmproxy_send_them_too(
    tmp_path: Path, collector: Collector, upstream: Upstream
) -> None:
    with mitmdump("recorder", f"--mode=reverse:{upstream.origin}", cwd=tmp_path) as recorder:
        ask(recorder.url)
        assert recorder.stop() == 0, recorder.words

    assert values(collector.span().attributes)["replayproxy.cost.usd"] == COST
    with mitmdump("replayer", f"--mode=reverse:{upstream.origin}", cwd=tmp_path) as replayer:
        assert ask(replayer.url) == b"".join(CHUNKS)
        assert replayer.stop() == 0, replayer.words
    assert values(collector.span().attributes)["replayproxy.replayed"] is True


def test_a_collector_that_never_answers_changes_nothing_for_traffic_recording_and_exit(
    tmp_path: Path, collector: Collector, upstream: Upstream
) -> None:
    collector.answering.clear()

    with serving("record", "--upstream", upstream.origin, cwd=tmp_path) as recorder:
        for _ in range(3):
            assert ask(recorder.url) == b"".join(CHUNKS)
        assert recorder.stop() == 0, recorder.words

    assert "recorded 3 exchanges" in recorder.words
    assert not collector.answering.is_set(), "it ended while nothing had been answered"
    assert [row["outcome"] for row in listed(tmp_path)] == ["completed"] * 3
    assert body_of(1, tmp_path) == b"".join(CHUNKS)
    with serving("replay", "--speed", "instant", cwd=tmp_path) as player:
        assert ask(player.url) == b"".join(CHUNKS)
        assert player.stop() == 0, player.words


def test_without_an_endpoint_nothing_leaves_and_the_file_has_the_spans(
    tmp_path: Path, collector: Collector, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT")

    with serving("record", "--upstream", upstream.origin, cwd=tmp_path) as recorder:
        ask(recorder.url)
        assert recorder.stop() == 0, recorder.words

    assert not collector.asked.is_set()
    with closing(sqlite3.connect(tmp_path / "replayproxy.db")) as opened:
        register_functions(opened)
        assert opened.execute("SELECT name FROM spans").fetchall() == [
            ("chat anthropic/claude-sonnet-4",)
        ]
