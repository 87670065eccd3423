"""`replayproxy replay` as its users meet it: it fails closed, in order, in time."""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from openai import NotFoundError, OpenAI

from tests.end_to_end.commands import PATIENCE_S, listed, mitmdump, run, serving, shown
from tests.end_to_end.upstream import Received, Script, Upstream, plain, streamed
from tests.end_to_end.wire import post

PATH = "/v1/chat/completions"


def ask(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "gpt-x", "messages": [{"role": "user", "content": text}], **more}


def numbered() -> Iterator[Script]:
    for number in count(1):
        yield plain(b'{"answer": %d}' % number)


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """Answers 1, 2, 3, ... whatever it is asked."""
    answers = numbered()
    with Upstream(lambda request: next(answers)) as running:
        yield running


def record(upstream: Upstream, folder: Path, *requests: dict[str, Any], cassette: str = "") -> None:
    more = ["--cassette", cassette] if cassette else []
    with serving("record", "--upstream", upstream.origin, *more, cwd=folder) as recorder:
        for request in requests:
            post(recorder.url + PATH, request)
    assert recorder.code == 0, recorder.words


def test_a_request_that_was_not_recorded_gets_a_404_that_says_what_differs(
    upstream: Upstream, tmp_path: Path
) -> None:
    record(upstream, tmp_path, ask("hello"))

    with serving("replay", "--upstream", upstream.origin, cwd=tmp_path) as player:
        answer = post(player.url + PATH, ask("goodbye"))

    message = answer.json["error"]["message"]
    assert answer.status == 404
    assert answer.headers["x-replayproxy"] == "miss"
    assert answer.headers["x-should-retry"] == "false"
    assert "cassette 'default' has no exchange for this gpt-x request" in message
    assert (
        'exchange 1, differs at $.messages[0].content: asked "goodbye", recorded "hello"' in message
    )
    assert "replayproxy record --cassette default" in message
    assert "miss: cassette 'default'" in player.words
    assert player.words.splitlines()[-1] == "replayed 0 exchanges, 1 miss"
    assert player.code == 0
    assert len(upstream.requests) == 1


def test_the_openai_sdk_shows_a_miss_and_does_not_retry(upstream: Upstream, tmp_path: Path) -> None:
    record(upstream, tmp_path, ask("hello"))

    with (
        serving("replay", cwd=tmp_path) as player,
        OpenAI(base_url=f"{player.url}/v1", api_key="sk-test") as sdk,
        pytest.raises(NotFoundError, match=r"\$\.messages\[0\]\.content"),
    ):
        sdk.chat.completions.create(**ask("goodbye"))

    assert "1 miss" in player.words.splitlines()[-1]


def test_the_same_request_gets_its_answers_in_recorded_order_and_the_last_again(
    upstream: Upstream, tmp_path: Path
) -> None:
    record(upstream, tmp_path, *[ask("poll")] * 3)

    with serving("replay", "--speed", "instant", cwd=tmp_path) as player:
        answers = [post(player.url + PATH, ask("poll")).json["answer"] for _ in range(5)]

    assert answers == [1, 2, 3, 3, 3]
    assert len(upstream.requests) == 3


@pytest.mark.parametrize(
    ("repeat", "statuses", "fourth"), [("cycle", [200] * 4, 1), ("error", [200] * 3 + [404], None)]
)
def test_repeat_says_what_comes_after_the_last(
    repeat: str, statuses: list[int], fourth: int | None, upstream: Upstream, tmp_path: Path
) -> None:
    record(upstream, tmp_path, *[ask("poll")] * 3)

    with serving("replay", "--repeat", repeat, "--speed", "instant", cwd=tmp_path) as player:
        answers = [post(player.url + PATH, ask("poll")) for _ in range(4)]

    assert [answer.status for answer in answers] == statuses
    assert answers[3].json.get("answer") == fourth


def test_concurrent_equal_requests_get_distinct_answers(upstream: Upstream, tmp_path: Path) -> None:
    record(upstream, tmp_path, *[ask("same")] * 20)

    with (
        serving("replay", "--speed", "instant", cwd=tmp_path) as player,
        ThreadPoolExecutor(20) as pool,
    ):
        asked = [pool.submit(post, player.url + PATH, ask("same")) for _ in range(20)]
        answers = sorted(answer.result().json["answer"] for answer in asked)

    assert answers == list(range(1, 21))


def test_the_spelling_of_a_request_does_not_matter(upstream: Upstream, tmp_path: Path) -> None:
    record(upstream, tmp_path, {"model": "gpt-x", "temperature": 1, "top_p": 0.5})

    with serving("replay", "--speed", "instant", cwd=tmp_path) as player:
        respelled = b'{"top_p": 5e-1,\n "temperature": 1.0, "model": "gpt-x"}'
        answer = post(
            player.url + PATH, respelled, headers={"Authorization": "Bearer other", "X-Retry": "2"}
        )

    assert answer.json == {"answer": 1}


def test_a_cassette_answers_only_for_itself(upstream: Upstream, tmp_path: Path) -> None:
    record(upstream, tmp_path, ask("hello"), cassette="one")

    with serving("replay", "--cassette", "two", cwd=tmp_path) as player:
        answer = post(player.url + PATH, ask("hello"))

    assert answer.status == 404


def test_what_is_recorded_during_a_replay_is_not_in_it(upstream: Upstream, tmp_path: Path) -> None:
    record(upstream, tmp_path, ask("first"))

    with serving("replay", "--speed", "instant", cwd=tmp_path) as player:
        record(upstream, tmp_path, ask("first"), ask("later"))
        answers = [post(player.url + PATH, ask(text)) for text in ("first", "first", "later")]

    assert [answer.json.get("answer") for answer in answers] == [1, 1, None]
    assert answers[2].status == 404


def test_a_sequence_of_429_and_200_replays_as_it_was(tmp_path: Path) -> None:
    limited = plain(b'{"error":{"message":"slow"}}', status="429 Too Many Requests",
                    more="Retry-After: 0\r\n")  # fmt: skip
    answers = iter([limited, plain(b'{"answer": 2}')])
    with Upstream(lambda request: next(answers)) as upstream:
        record(upstream, tmp_path, ask("hello"), ask("hello"))

    with serving("replay", "--speed", "instant", cwd=tmp_path) as player:
        first, second = (post(player.url + PATH, ask("hello")) for _ in range(2))

    assert (first.status, first.headers["retry-after"]) == (429, "0")
    assert second.json == {"answer": 2}


def test_a_damaged_body_is_an_error_of_ours_and_no_call_upstream(
    upstream: Upstream, tmp_path: Path
) -> None:
    record(upstream, tmp_path, ask("hello"))
    with sqlite3.connect(tmp_path / "replayproxy.db") as connection:
        connection.execute("UPDATE bodies SET data = x'00'")
    connection.close()

    with serving("replay", "--upstream", upstream.origin, cwd=tmp_path) as player:
        answer = post(player.url + PATH, ask("hello"))

    assert answer.status == 500
    assert answer.headers["x-replayproxy"] == "error"
    assert len(upstream.requests) == 1


def test_an_intercepted_request_that_was_not_recorded_never_reaches_its_host(
    upstream: Upstream, tmp_path: Path
) -> None:
    record(upstream, tmp_path, ask("hello"))

    with serving("replay", cwd=tmp_path) as player:
        answer = post(upstream.origin + PATH, ask("goodbye"), tunnel=player.url)

    assert answer.status == 404
    assert answer.headers["x-replayproxy"] == "miss"
    assert upstream.connections == 1


def test_a_replay_that_was_given_an_upstream_answers_proxy_clients_too(
    upstream: Upstream, tmp_path: Path
) -> None:
    record(upstream, tmp_path, ask("hello"))

    with serving("replay", "--upstream", upstream.origin, cwd=tmp_path) as player:
        answer = post(upstream.origin + PATH, ask("hello"), tunnel=player.url)

    assert answer.json == {"answer": 1}
    assert upstream.connections == 1


def test_it_works_as_a_stock_addon(upstream: Upstream, tmp_path: Path) -> None:
    record(upstream, tmp_path, ask("hello"))

    with mitmdump("replayer", "--set=replayproxy_speed=instant", cwd=tmp_path) as player:
        hit = post(upstream.origin + PATH, ask("hello"), tunnel=player.url)
        miss = post(upstream.origin + PATH, ask("goodbye"), tunnel=player.url)

    assert hit.json == {"answer": 1}
    assert hit.headers["x-replayproxy"] == "hit"
    assert miss.status == 404
    assert upstream.connections == 1


def test_a_stock_addon_without_a_database_ends_with_one_clear_line(tmp_path: Path) -> None:
    with mitmdump("replayer", cwd=tmp_path) as refused:
        refused.process.wait(PATIENCE_S)

    assert refused.code == 1
    assert "cannot use the database replayproxy.db: it does not exist" in refused.words
    assert "Traceback" not in refused.words


@pytest.mark.parametrize("fault", ["_redirect", "responseheaders", "server_connect", "request"])
def test_a_fault_in_the_replaying_addon_reaches_no_upstream(
    fault: str, upstream: Upstream, tmp_path: Path
) -> None:
    record(upstream, tmp_path, ask("hello"))
    script = tmp_path / "faulty.py"
    script.write_text(
        "import runpy\n"
        "from replayproxy.shipped import addons_path\n"
        "names = runpy.run_path(str(addons_path('replayer.py')))\n"
        "def fault(self, *arguments):\n"
        "    raise RuntimeError('injected')\n"
        f"setattr(names['Replayer'], {fault!r}, fault)\n"
        "addons = names['addons']\n"
    )

    with mitmdump("replayer", cwd=tmp_path, script=script) as player:
        post(upstream.origin + PATH, ask("goodbye"), tunnel=player.url)

    assert "injected" in player.words or fault == "_redirect"
    assert upstream.connections == 1


def test_recordings_made_by_interception_answer_a_base_url(
    upstream: Upstream, tmp_path: Path
) -> None:
    with serving("record", cwd=tmp_path) as recorder:
        post(upstream.origin + PATH, ask("hello"), tunnel=recorder.url)

    with serving("replay", cwd=tmp_path) as player:
        answer = post(player.url + PATH, ask("hello"))

    assert answer.json == {"answer": 1}


def test_a_replay_leaves_what_was_recorded_and_no_file_beside_it(
    upstream: Upstream, tmp_path: Path
) -> None:
    record(upstream, tmp_path, ask("hello"))
    before = listed(tmp_path), shown(1, tmp_path)

    with serving("replay", "--speed", "instant", cwd=tmp_path) as player:
        post(player.url + PATH, ask("hello"))

    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "replayproxy.db"]
    assert (listed(tmp_path), shown(1, tmp_path)) == before


def test_list_json_has_the_promised_fields(tmp_path: Path) -> None:
    def script(request: Received) -> Script:
        return streamed([b"data: [DONE]\n\n"])

    with Upstream(script) as upstream:
        record(upstream, tmp_path, ask("hello", stream=True))

    (row,) = listed(tmp_path)
    promised = (
        "id cassette started_at method host path status outcome protocol provider streamed "
        "request_model response_model finish_reason input_tokens output_tokens "
        "cache_read_tokens reasoning_tokens cost_usd time_to_headers_ms time_to_first_chunk_ms "
        "time_to_first_content_ms duration_ms chunk_count request_bytes response_bytes tag"
    ).split()
    assert set(promised) <= set(row)
    assert row["started_at"].endswith("Z")
    assert len(row["started_at"]) == len("2026-01-01T00:00:00.000000Z")
    assert row["streamed"] is True
    assert row["host"] == "127.0.0.1"
    assert row["protocol"] == "openai_chat"
    assert row["input_tokens"] is None
    assert row["cost_usd"] is None
    assert row["time_to_headers_ms"] <= row["duration_ms"]


def test_show_tells_people_what_was_said(upstream: Upstream, tmp_path: Path) -> None:
    record(upstream, tmp_path, ask("hello"))

    page = run("show", "1", cwd=tmp_path).stdout

    assert f"POST {upstream.origin.rpartition(':')[0]}" in page
    assert '{"answer": 1}' in page
    assert "outcome: completed" in page
    assert run("show", "1", "--body", "request", cwd=tmp_path).stdout.startswith('{"model"')
    assert run("show", "2", cwd=tmp_path).stderr.startswith("Error: replayproxy.db has no exchange")
