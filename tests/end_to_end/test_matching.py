"""Rules, isolation, and what is said and kept of a replay, with the real command."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.commands import mitmdump, run, serving
from tests.end_to_end.upstream import Script, Upstream, plain
from tests.end_to_end.wire import post

PATH = "/v1/chat/completions"


def ask(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "gpt-x", "messages": [{"role": "user", "content": text}], **more}


def numbered() -> Iterator[Script]:
    for number in count(1):
        yield plain(b'{"answer": %d}' % number)


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """A folder with a database: three answers, 1 and 2 to one question but for its id and date."""
    answers = numbered()
    with (
        Upstream(lambda request: next(answers)) as upstream,
        serving("record", "--upstream", upstream.origin, cwd=tmp_path) as recorder,
    ):
        post(recorder.url + PATH, ask("on 2026-01-01", user="a"))
        post(recorder.url + PATH, ask("on 2026-01-02", user="b"))
        post(recorder.url + PATH, ask("joke"))
    return tmp_path


RULES = ("--ignore", "$.user", "--normalize", "date")


def replays(folder: Path) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(folder / "replayproxy.db")) as opened:
        return opened.execute(
            "SELECT result, exchange_id, normalized, session FROM replays ORDER BY id"
        ).fetchall()


def test_rules_find_what_differs_only_there_and_the_hit_says_so(recorded: Path) -> None:
    with serving("replay", *RULES, "--speed", "instant", cwd=recorded) as player:
        loose = post(player.url + PATH, ask("on 2027-05-05", user="c"))
        exact = post(player.url + PATH, ask("joke"))
        other = post(player.url + PATH, ask("joke", temperature=1))

    assert loose.json == {"answer": 1}
    assert loose.headers["x-replayproxy"] == "hit"
    assert loose.headers["x-replayproxy-normalized"] == "$.messages[0].content, $.user"
    assert exact.json == {"answer": 3}
    assert "x-replayproxy-normalized" not in exact.headers
    assert other.status == 404
    assert player.words.splitlines()[-1] == "replayed 2 exchanges (1 by rules), 1 miss"
    assert replays(recorded) == [
        ("hit", 1, "$.messages[0].content, $.user", ""),
        ("hit", 3, None, ""),
        ("miss", None, None, ""),
    ]


def test_a_question_that_was_recorded_word_for_word_keeps_its_own_answer(recorded: Path) -> None:
    with serving("replay", *RULES, "--repeat", "error", cwd=recorded) as player:
        asked = [("02", "b"), ("09", "x"), ("02", "b"), ("03", "y")]
        answers = [
            post(player.url + PATH, ask(f"on 2026-01-{day}", user=user)) for day, user in asked
        ]

    assert [answer.json.get("answer") for answer in answers] == [2, 1, None, None]


def test_rules_can_stand_in_a_file_beside_the_database(recorded: Path) -> None:
    (recorded / "replayproxy.toml").write_text(
        '[match]\nignore = ["$.user"]\nnormalize = ["date"]\n'
    )

    with serving("replay", "--speed", "instant", cwd=recorded) as player:
        answer = post(player.url + PATH, ask("on 2027-05-05", user="c"))
    with mitmdump("replayer", cwd=recorded) as stock:
        also = post(f"http://api.example:80{PATH}", ask("on 2028-05-05"), tunnel=stock.url)

    assert (answer.json, also.json) == ({"answer": 1}, {"answer": 1})


def test_the_stock_addon_takes_rules_as_settings(recorded: Path) -> None:
    settings = ["replayproxy_ignore=$.user", "replayproxy_normalize=date"]
    with mitmdump("replayer", *(f"--set={one}" for one in settings), cwd=recorded) as stock:
        answer = post(f"http://api.example:80{PATH}", ask("on 2028-05-05"), tunnel=stock.url)

    assert answer.json == {"answer": 1}


def test_a_file_of_rules_that_makes_no_sense_ends_with_one_clear_line(recorded: Path) -> None:
    (recorded / "replayproxy.toml").write_text("[match]\nignore = ['user']\n")

    refused = run("replay", cwd=recorded)

    assert refused.returncode == 2
    assert "--ignore 'user' is not a JSON path: it does not begin with $." in refused.stderr
    assert "replayproxy.toml" in refused.stderr


def test_hosts_can_be_made_to_count(recorded: Path) -> None:
    with serving("replay", "--match-on", "header:x-any,host", cwd=recorded) as player:
        other = post(f"http://localhost:80{PATH}", ask("joke"), tunnel=player.url)
        same = post(f"http://127.0.0.1:80{PATH}", ask("joke"), tunnel=player.url)

    assert (other.status, same.json) == (404, {"answer": 3})
    assert "differs at host: asked localhost, recorded 127.0.0.1" in other.json["error"]["message"]


def test_show_tells_what_each_rule_changes(recorded: Path) -> None:
    with serving("replay", *RULES, cwd=recorded):
        pass

    lines = run("show", "1", cwd=recorded).stdout.splitlines()

    keys = [line for line in lines if line.startswith("match key: ")]
    assert [key.partition(":")[2].strip()[:4] for key in keys] == ["mk1:", "mk1+"]
    assert '  $.messages[0].content "on 2026-01-01": as "on <date>"' in lines
    assert '  $.user "a": left out' in lines


def test_tests_at_the_same_time_have_playlists_of_their_own(recorded: Path) -> None:
    def asked(base: str, token: str = "") -> int:
        headers = {"x-replayproxy-session": token} if token else {}
        answer = post(f"{base}{PATH}", ask("on 2027-01-01"), headers=headers)
        return int(answer.json.get("answer", 0))

    with serving("replay", *RULES, "--repeat", "error", cwd=recorded) as player:
        one = f"{player.url}/_replayproxy/session/one"

        answers = [asked(one), asked(player.url, "two"), asked(one), asked(player.url, "two")]

        assert answers == [1, 1, 2, 2]
        assert [asked(player.url), asked(one)] == [1, 0]
    # in the order in which their connections were done with them
    assert sorted(row[3] for row in replays(recorded)) == ["", "one", "one", "one", "two", "two"]


def test_misses_are_listed(recorded: Path) -> None:
    assert run("list", "--misses", cwd=recorded).stderr == "No misses.\n"
    with serving("replay", cwd=recorded) as player:
        post(player.url + PATH, ask("jokes"))
        post(player.url + PATH, ask("joke"))

    text = run("list", "--misses", cwd=recorded).stdout
    (row,) = map(json.loads, run("list", "--misses", "--json", cwd=recorded).stdout.splitlines())

    assert 'asked "jokes", recorded "joke"' in text
    assert row["message"] in text
    assert (row["closest_id"], row["request_model"], row["method"]) == (3, "gpt-x", "POST")
    assert len(run("list", "--json", cwd=recorded).stdout.splitlines()) == 3


def test_without_a_log_the_file_stays_as_it_is(recorded: Path) -> None:
    before = (recorded / "replayproxy.db").read_bytes()

    with serving("replay", "--no-replay-log", cwd=recorded) as player:
        post(player.url + PATH, ask("joke"))

    assert (recorded / "replayproxy.db").read_bytes() == before
    assert replays(recorded) == []
