"""One player, two ways in: base-URL clients and proxy clients get the same, ends included."""

import asyncio
import itertools
import json
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from openai import AsyncOpenAI, BadRequestError, DefaultHttpxClient, OpenAI

from tests.end_to_end.commands import Child, listed, mitmdump, serving, shown
from tests.end_to_end.upstream import (
    LAST_CHUNK,
    STREAM_HEAD,
    Close,
    Received,
    Reset,
    Script,
    Send,
    Upstream,
    chunk,
    plain,
    streamed,
)
from tests.end_to_end.wire import Answer, post

PATH = "/v1/chat/completions"
EVENT = (
    b'data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"gpt-x",'
    b'"choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n'
)
DONE = b"data: [DONE]\n\n"
ERROR = b'data: {"error":{"message":"overloaded","code":503}}\n\n'
HOST = "https://api.example.invalid"

SCRIPTS: dict[str, Script] = {
    "whole": streamed([EVENT[:30], EVENT[30:], DONE], gap_s=0.005),
    "plain": plain(b'{"answer": 1}'),
    "truncated chunks": [Send(STREAM_HEAD), Send(chunk(EVENT)), Close()],
    "truncated length": [
        Send(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 99\r\n\r\nshort"),
        Close(),
    ],
    "reset": [Send(STREAM_HEAD), Send(chunk(EVENT)), Send(chunk(EVENT), after_s=0.01), Reset()],
    "until close": [Send(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nall"), Close()],
    "error in a 200": streamed([EVENT, ERROR, DONE]),
    "no content": [Send(b"HTTP/1.1 204 No Content\r\n\r\n")],
    "not modified": [Send(b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n")],
    "bad request": plain(b'{"error":{"message":"no"}}', status="400 Bad Request"),
    "empty": plain(b""),
    "abandoned": [
        Send(STREAM_HEAD),
        *(Send(chunk(EVENT), after_s=0.01) for _ in range(500)),
        Send(LAST_CHUNK),
    ],
}
BROKEN = {"truncated chunks", "truncated length", "reset", "abandoned"}


def ask(name: str) -> dict[str, Any]:
    messages = [{"role": "user", "content": name}]
    return {"model": "gpt-x", "messages": messages, "stream": name == "whole"}


def play(request: Received) -> Script:
    return next(script for name, script in SCRIPTS.items() if name.encode() in request.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """A replay, and the ways into it."""

    player: Child
    stock: Child
    authority: Path
    live: dict[str, Answer]

    def ask(self, name: str) -> list[Answer]:
        """By base URL, by proxy in the clear and through TLS, and through stock mitmproxy."""
        url, body = self.player.url, ask(name)
        clear = f"http://api.example.invalid:80{PATH}"
        return [
            post(url + PATH, body),
            post(clear, body, tunnel=url),
            post(HOST + PATH, body, tunnel=url, authority=self.authority),
            post(clear, body, tunnel=self.stock.url),
        ]


@pytest.fixture(scope="module")
def ways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ways]:
    folder = tmp_path_factory.mktemp("ways")
    with Upstream(play) as upstream:
        with serving("record", "--upstream", upstream.origin, cwd=folder) as recorder:
            live = {
                name: post(
                    recorder.url + PATH,
                    ask(name),
                    stop_after=EVENT * 3 if name == "abandoned" else None,
                )
                for name in SCRIPTS
            }
        with serving("replay", cwd=folder) as player, mitmdump("replayer", cwd=folder) as stock:
            ca = folder / "home" / "mitmproxy-ca-cert.pem"
            yield Ways(player=player, stock=stock, authority=ca, live=live)
        assert len(upstream.requests) == len(SCRIPTS)
        outcomes = {row["outcome"] for row in listed(folder)}
        assert outcomes == {"completed", "upstream_closed", "client_closed"}


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_end_is_the_same_every_way(name: str, ways: Ways) -> None:
    live, answers = ways.live[name], ways.ask(name)

    assert {answer.status for answer in answers} == {live.status}
    assert {answer.headers["x-replayproxy"] for answer in answers} == {"hit"}
    assert {answer.whole for answer in answers} == {name not in BROKEN}
    if name == "abandoned":  # the proxy saw a little more than the client that left
        assert {answer.body.startswith(live.body) for answer in answers} == {True}
        assert len({answer.body for answer in answers}) == 1
        assert len(answers[0].body) < 400 * len(EVENT)
    else:
        assert {answer.body for answer in answers} == {live.body}
    if "chunked" in live.headers.get("transfer-encoding", ""):
        assert all(answer.chunks == answers[0].chunks for answer in answers)


def test_the_sdk_sees_the_same_every_way(ways: Ways) -> None:
    def converse(sdk: OpenAI) -> list[str | None]:
        said: Any = ask("whole")
        texts = [piece.choices[0].delta.content for piece in
                 sdk.chat.completions.create(**said)]  # fmt: skip
        with pytest.raises(BadRequestError, match="no"):
            sdk.chat.completions.create(**ask("bad request"))
        return texts

    ca = ssl.create_default_context(cafile=ways.authority)
    with (
        OpenAI(base_url=f"{ways.player.url}/v1", api_key="sk-1", max_retries=0) as direct,
        DefaultHttpxClient(proxy=ways.player.url, verify=ca) as proxied,
        OpenAI(base_url=f"{HOST}/v1", api_key="sk-1", http_client=proxied, max_retries=0) as other,
    ):
        assert converse(direct) == converse(other) == ["Hi"]


def test_many_at_once_through_tls_get_distinct_recordings(tmp_path: Path) -> None:
    numbers = itertools.count(1)
    with (
        Upstream(lambda request: plain(b'{"answer": %d}' % next(numbers))) as upstream,
        serving("record", "--upstream", upstream.origin, cwd=tmp_path) as recorder,
    ):
        for _ in range(20):
            post(recorder.url + PATH, ask("same"))

    with serving("replay", cwd=tmp_path) as player, ThreadPoolExecutor(20) as pool:
        ca = tmp_path / "home" / "mitmproxy-ca-cert.pem"
        asked = [
            pool.submit(post, HOST + PATH, ask("same"), tunnel=player.url, authority=ca)
            for _ in range(20)
        ]
        answers = sorted(answer.result().json["answer"] for answer in asked)

    assert answers == list(range(1, 21))


def test_silences_can_be_cut_and_the_rest_stays_in_its_order(tmp_path: Path) -> None:
    script = [Send(STREAM_HEAD), Send(chunk(EVENT), after_s=0.7), Send(chunk(DONE), after_s=0.7),
              Send(LAST_CHUNK)]  # fmt: skip
    with (
        Upstream(lambda request: script) as upstream,
        serving("record", "--upstream", upstream.origin, cwd=tmp_path) as recorder,
    ):
        live = post(recorder.url + PATH, ask("slow"))

    with serving("replay", "--max-gap", "0.05", "--jitter", "0.01", cwd=tmp_path) as player:
        answer = post(player.url + PATH, ask("slow"))

    assert answer.chunks == live.chunks
    assert shown(1, tmp_path)["duration_ms"] > 1_400
    assert 0.1 <= answer.times_s[-1] < 1.4


def test_websockets_are_refused_with_a_reason(ways: Ways) -> None:
    headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}

    answer = post(ways.player.url + "/v1/realtime", b"", headers=headers)

    assert answer.status == 501
    assert "WebSocket traffic is not recorded" in answer.json["error"]["message"]


async def _retry(url: str) -> str:
    said: Any = ask("limited")
    async with AsyncOpenAI(base_url=f"{url}/v1", api_key="sk-1", max_retries=2) as sdk:
        answer: Any = await sdk.chat.completions.create(**said)
        return str(answer.choices[0].message.content)


def test_who_is_told_to_wait_a_minute_does_not_in_an_instant_replay(tmp_path: Path) -> None:
    limited = plain(
        b'{"error":{"message":"slow"}}', status="429 Too Many Requests", more="Retry-After: 60\r\n"
    )
    body = {
        "id": "1", "object": "chat.completion", "created": 1, "model": "gpt-x",
        "choices": [{"index": 0, "finish_reason": "stop",
                     "message": {"role": "assistant", "content": "Hi"}}],
    }  # fmt: skip
    scripts = iter([limited, plain(json.dumps(body).encode())])
    with (
        Upstream(lambda request: next(scripts)) as upstream,
        serving("record", "--upstream", upstream.origin, cwd=tmp_path) as recorder,
    ):
        for _ in range(2):
            post(recorder.url + PATH, ask("limited"))

    with serving("replay", "--speed", "instant", cwd=tmp_path) as player:
        assert asyncio.run(_retry(player.url)) == "Hi"

    assert "replayed 2 exchanges" in player.words
