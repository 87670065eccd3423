"""How scripts and containers know that a proxy is there."""

import json
from pathlib import Path

import pytest

from replayproxy.health import PATH
from replayproxy.ready_file import read
from tests.end_to_end.commands import listed, mitmdump, serving
from tests.end_to_end.upstream import Upstream, plain
from tests.end_to_end.wire import post

CHAT = "/v1/chat/completions"


@pytest.mark.parametrize("by_base_url", [True, False])
def test_a_recorder_says_where_it_is_and_that_it_is_well(by_base_url: bool, tmp_path: Path) -> None:
    file = tmp_path / "ready.json"
    with Upstream(lambda request: plain(b"{}")) as upstream:
        more = ("--upstream", f"{upstream.origin}/v1") if by_base_url else ()
        with serving("record", "--ready-file", str(file), *more, cwd=tmp_path) as recorder:
            ready = read(file)
            answers = [post(ready.url + PATH, b"", method="GET")]
            answers.append(post(ready.url + PATH, b"", method="HEAD", stop_after=b""))
            if ready.proxy_url:
                there = upstream.origin + PATH
                answers.append(post(there, b"", method="GET", tunnel=ready.proxy_url))
            origin = upstream.origin if ready.proxy_url else ready.url
            post(origin + CHAT, b"{}", tunnel=ready.proxy_url)

    assert ready.url == recorder.url
    assert ready.pid == recorder.process.pid
    assert [api.upstream for api in ready.apis] == [f"{upstream.origin}/v1"] * by_base_url
    assert {answer.status for answer in answers} == {200}
    assert json.loads(answers[0].body)["command"] == "record"
    assert not file.exists()
    assert PATH not in [request.target for request in upstream.requests]
    assert PATH not in [row["path"] for row in listed(tmp_path)]


def test_a_replay_says_so_too_by_itself_and_in_stock_mitmproxy(tmp_path: Path) -> None:
    file = tmp_path / "ready.json"
    with (
        Upstream(lambda request: plain(b"{}")) as upstream,
        serving("record", "--upstream", upstream.origin, cwd=tmp_path) as recorder,
    ):
        post(recorder.url + CHAT, b"{}")

    with (
        serving("replay", "--ready-file", str(file), cwd=tmp_path) as player,
        mitmdump("replayer", cwd=tmp_path) as stock,
    ):
        ready = read(file)
        answers = [post(url + PATH, b"", method="GET") for url in (player.url, stock.url)]

    assert [answer.json["status"] for answer in answers] == ["ok", "ok"]
    assert ready.proxy_url == ready.url == player.url
    assert ready.ca_file == str(tmp_path / "home" / "mitmproxy-ca-cert.pem")
    assert "replayed 0 exchanges, 0 misses" in player.words
