"""What the page of an exchange says to paste, pasted: a shell, Python, real servers."""

import html
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from replayproxy.model import Ending, Headers, Request, ResponseHead
from replayproxy.store import Writer
from tests.dashboards.sample import HOSTILES
from tests.dashboards.site import HOME, Site, site
from tests.end_to_end.commands import PATIENCE_S, Child, environment
from tests.end_to_end.upstream import Close, Received, Send, Upstream

ANSWER = b'{"id": "a", "choices": []}'
RESPONSE = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
    b"content-length: %d\r\nconnection: close\r\n\r\n%s" % (len(ANSWER), ANSWER)
)
QUERY_KEY = "key-live"
KEY = "sk-live 'quoted' $HOME"
JSON: Headers = (("content-type", "application/json"),)
BEARER: Headers = (("Authorization", "Bearer sk-canary-1"), *JSON)
NASTY = 'it\'s "quoted" $HOME `id` \\n \\ ! {a,b} [c] %s é 你好 😀\n\ttab & <b> $(touch pwned)'
MESSAGES = [{"role": "user", "content": NASTY}, {"role": "user", "content": "@/etc/passwd"}]
CHAT = {
    "model": "gpt-4o",
    "messages": MESSAGES,
    "stream": False,
    "temperature": 0.5,
    "stop": None,
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
    "an_option_of_tomorrow": {"deep": [1, 2.5, True, None, "x" * 200]},
}


def request(path: str, body: object = b"", headers: Headers = BEARER, **more: Any) -> Request:
    data = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    given = {"method": "POST", "scheme": "http", "host": "127.0.0.1", "port": 0, **more}
    return Request(path=path, headers=headers, body=data, **given)


REQUESTS = {
    "chat": request("/v1/chat/completions", CHAT),
    "chat, streamed": request("/api/v1/chat/completions", {**CHAT, "stream": True}),
    "chat without a key": request("/v1/chat/completions", CHAT, JSON),
    "chat, hostile": request(
        "/v1/chat/completions",
        {"model": HOSTILES[0], HOSTILES[1]: 1, "messages": [{"role": HOSTILES[2]}]},
        (*BEARER, ("x-aig-tag", "$(touch pwned) `touch pwned` 'x' \"y\" \\")),
    ),
    "chat, hostile, escaped": request(
        "/v1/chat/completions",
        json.dumps({"model": HOSTILES[2], HOSTILES[1]: 1, "messages": [*HOSTILES]}).encode(),
    ),
    "chat, no model": request("/v1/chat/completions", {"messages": []}),
    "chat, half a character": request(
        "/v1/chat/completions", b'{"model": "m", "messages": ["\\ud83d"], "n": NaN}'
    ),
    "chat, long": request(
        "/v1/chat/completions", {**CHAT, "messages": [{"content": NASTY * 5000}]}
    ),
    "responses": request("/v1/responses", {"model": "gpt-5", "input": NASTY, "store": False}),
    "anthropic": request(
        "/v1/messages",
        {"model": "claude", "max_tokens": 9, "messages": MESSAGES},
        (("X-Api-Key", "sk-ant"), ("anthropic-version", "2023-06-01"), *JSON),
    ),
    "gemini": request(
        "/v1beta/models/g:generateContent", {"contents": []}, JSON, query="alt=sse&key=AIza-secret"
    ),
    "text that looks like a file": request("/v1/x", b"@/etc/passwd", (("content-type", "a/b"),)),
    "no content type": request("/v1/x", b"a=1&b=2", ()),
    "binary": request("/v1/x", bytes(range(256)) * 9, BEARER),
    "line ends and controls": request("/v1/x", b"a\r\nb\x1b[31m\xe2\x80\xaegpj\n", BEARER),
    "a query with globs": request("/v1/a/../b", query="q[]={a,b}&c='%20'&d=$x", method="GET"),
    "delete": request("/v1/files/f-1", method="DELETE"),
    "put": request("/v1/x", b"{}", method="PUT"),
    "head": request("/v1/x", method="HEAD"),
}

BY_SDK = {
    "chat", "chat, streamed", "chat without a key", "chat, hostile, escaped", "responses",
}  # fmt: skip
CASSETTE = "it's $mine"


@dataclass(slots=True, kw_only=True)
class Asking:
    """The upstream that is asked again, and a dashboard on what it was asked before."""

    upstream: Upstream
    site: Site

    def pasted(self, name: str, *parts: str) -> list[str]:
        """The commands of an exchange's page, as somebody copies them."""
        page = self.site.get(f"{HOME}/exchange/{list(REQUESTS).index(name) + 1}").text
        found = (
            re.search(rf'<pre id="{part}"[^>]*>(.*?)</pre>', page, re.DOTALL) for part in parts
        )
        return [html.unescape(match[1]) for match in found if match]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asking]:
    path = tmp_path_factory.mktemp("asking") / "it's a $db.db"
    with Upstream(lambda received: [Send(RESPONSE), Close()]) as upstream:
        record(path, upstream.port)
        with site(path) as opened:
            yield Asking(upstream=upstream, site=opened)


@pytest.fixture
def asking(running: Asking) -> Asking:
    running.upstream.requests.clear()
    return running


def record(path: Path, port: int) -> None:
    """All requests, answered."""
    writer = Writer(path)
    for sent in REQUESTS.values():
        at = replace(sent, port=port)
        tape = writer.record(at, started_at=datetime.now(UTC), cassette=CASSETTE)
        tape.head(ResponseHead(offset_ns=1, status=200, headers=JSON))
        tape.chunk(2, ANSWER)
        tape.end(Ending.FINISHED, 3)
    writer.close()


def shell(command: str, folder: Path, key: str = KEY) -> subprocess.CompletedProcess[bytes]:
    return start(["sh", "-euc", command], folder, key)


def start(command: list[str], folder: Path, key: str = KEY) -> subprocess.CompletedProcess[bytes]:
    env = environment(folder)
    env |= {"PATH": f"{Path(sys.executable).parent}:{env['PATH']}", "API_KEY": key, "HOME": "/"}
    return subprocess.run(
        command, cwd=folder, env=env, capture_output=True, timeout=PATIENCE_S, check=False
    )


def check(received: Received, sent: Request, *, same_bytes: bool) -> None:
    """The same request, but for the key."""
    assert received.method == sent.method
    secret = received.headers
    if any(name == "Authorization" for name, _ in sent.headers):
        assert secret["authorization"] == f"Bearer {KEY}"
    if any(name == "X-Api-Key" for name, _ in sent.headers):
        assert secret["x-api-key"] == KEY
    for name, value in sent.headers:
        if name in {"content-type", "x-aig-tag", "anthropic-version"}:
            assert secret[name] == value
    if same_bytes:
        assert received.body == sent.body
    else:
        assert json.loads(received.body) == json.loads(sent.body)


@pytest.mark.parametrize("name", REQUESTS)
def test_curl_sends_the_same_bytes(name: str, tmp_path: Path, asking: Asking) -> None:
    sent = REQUESTS[name]
    (command,) = asking.pasted(name, "as-curl")

    ended = shell(command, tmp_path, QUERY_KEY if name == "gemini" else KEY)

    assert ended.returncode == 0, ended.stderr
    (received,) = asking.upstream.requests
    check(received, sent, same_bytes=True)
    assert received.target == sent.target.replace("AIza-secret", QUERY_KEY)
    assert ("content-type" in received.headers) == any(n == "content-type" for n, _ in sent.headers)
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("name", REQUESTS)
def test_python_sends_the_same_request(name: str, tmp_path: Path, asking: Asking) -> None:
    sent = REQUESTS[name]
    (program,) = asking.pasted(name, "as-python")

    ended = start([sys.executable, "-c", program], tmp_path, QUERY_KEY if name == "gemini" else KEY)

    assert ended.returncode == 0, ended.stderr.decode()
    (received,) = asking.upstream.requests
    is_json = sent.body.startswith(b"{") and b"NaN" not in sent.body
    check(received, sent, same_bytes=not is_json)
    assert received.target.partition("?")[2] == sent.query.replace("AIza-secret", QUERY_KEY) or (
        name == "a query with globs"  # which httpx escapes
    )
    assert ("from openai import OpenAI" in program) == (name in BY_SDK)
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("name", REQUESTS)
def test_no_secret_is_in_what_is_pasted(name: str, asking: Asking) -> None:
    pasted = asking.pasted(name, "as-curl", "as-python", "as-replay", "as-replay-curl")

    assert len(pasted) == 4
    for text in pasted:
        assert not re.search(r"sk-canary|sk-ant|AIza|fp(:|%3A)[0-9a-f]{16}", text)


@pytest.mark.parametrize("name", ["chat", "anthropic", "gemini", "binary", "a query with globs"])
def test_the_replay_answers_and_asks_nobody(name: str, tmp_path: Path, asking: Asking) -> None:
    before = asking.upstream.connections
    replay, curl = asking.pasted(name, "as-replay", "as-replay-curl")

    program, *arguments = shlex.split(replay)
    assert program == "replayproxy"
    child = Child(
        [sys.executable, "-m", "replayproxy", *arguments, "--listen", "127.0.0.1:0"],
        cwd=tmp_path,
        announces="listening on ",
    )
    try:
        ended = shell(curl.replace("http://127.0.0.1:8080", child.url), tmp_path)
    finally:
        child.stop()

    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == ANSWER
    assert asking.upstream.connections == before


def test_what_was_interrupted_cannot_be_replayed(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "a.db")
    tape = writer.record(REQUESTS["chat"], started_at=datetime.now(UTC), cassette="default")
    tape.end(Ending.INTERRUPTED, 5)
    writer.close()

    with site(tmp_path / "a.db") as opened:
        assert "It cannot be replayed" in opened.text(f"{HOME}/exchange/1")
