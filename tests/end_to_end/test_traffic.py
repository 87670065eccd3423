"""Which traffic is recorded, whose it is, and what HTTP brings besides."""

import asyncio
import gzip
import json
import socket
import sqlite3
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openai import AsyncOpenAI, OpenAI

from replayproxy.store import Store
from tests.end_to_end.commands import PATIENCE_S, listed, serving, shown
from tests.end_to_end.upstream import (
    STREAM_HEAD,
    Received,
    Script,
    Send,
    Upstream,
    Wait,
    chunk,
    plain,
    streamed,
)
from tests.end_to_end.wire import post

PATH = "/v1/chat/completions"
ASK = {"model": "gpt-x", "stream": True, "messages": [{"role": "user", "content": "hi"}]}
EVENT = b'data: {"id":"1","model":"gpt-x","choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'
DONE = b"data: [DONE]\n\n"


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream(lambda request: plain(b'{"ok":true}')) as running:
        yield running


def test_a_request_can_opt_out_and_nobody_upstream_hears_of_it(
    upstream: Upstream, tmp_path: Path
) -> None:
    with serving("record", "--upstream", upstream.origin, cwd=tmp_path) as recorder:
        post(recorder.url + PATH, ASK, headers={"X-Replayproxy": "off"})
        post(recorder.url + PATH, ASK, headers={"X-Replayproxy": "on"})

    assert [("x-replayproxy" in request.headers) for request in upstream.requests] == [False] * 2
    assert len(listed(tmp_path)) == 1


def test_hosts_and_paths_can_be_added(upstream: Upstream, tmp_path: Path) -> None:
    options = ("--record-hosts", "*.internal", "--record-paths", "/generate*,/ask")
    with serving("record", *options, cwd=tmp_path) as recorder:
        for path in ("/generate/1", "/ask", "/asking", "/v1/messages"):
            post(upstream.origin + path, ASK, tunnel=recorder.url)

    assert [row["path"] for row in listed(tmp_path)] == ["/generate/1", "/ask", "/v1/messages"]
    assert len(upstream.requests) == 4


def test_an_exchange_knows_who_sent_it_and_what_the_gateway_charged(tmp_path: Path) -> None:
    more = "X-Request-Id: req-7\r\nX-Cost-Cents: 0.25\r\n"
    sent = {
        "User-Agent": "OpenAI/Python 3.54.0",
        "x-team": "search",
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "x-stainless-retry-count": "1",
    }
    with (
        Upstream(lambda request: plain(b"{}", more=more)) as upstream,
        serving(
            "record", "--upstream", upstream.origin, "--tag-header", "x-team", cwd=tmp_path
        ) as recorder,
    ):
        for key in ("sk-one", "sk-one", "sk-two"):
            post(recorder.url + PATH, ASK, headers={**sent, "Authorization": f"Bearer {key}"})

    first, second, third = listed(tmp_path)
    assert (first["sdk"], first["sdk_version"], first["tag"]) == (
        "OpenAI/Python",
        "3.54.0",
        "search",
    )
    assert (first["request_id"], first["retry_count"]) == ("req-7", 1)
    assert first["traceparent"] == sent["traceparent"]
    assert (first["cost_usd"], first["cost_source"]) == (0.0025, "reported")
    assert first["key_fingerprint"].startswith("fp:")
    assert first["key_fingerprint"] == second["key_fingerprint"] != third["key_fingerprint"]


def test_websocket_traffic_passes_and_that_is_said_once(tmp_path: Path) -> None:
    accepted = (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
    )
    hello = b"\x81\x02hi"
    with (
        Upstream(lambda request: [Send(accepted), Send(hello)]) as upstream,
        serving("record", "--upstream", upstream.origin, cwd=tmp_path) as recorder,
    ):
        for _ in range(2):
            assert open_websocket(recorder.url, expecting=hello)

    assert recorder.words.count("WebSocket traffic passes through") == 1
    assert recorder.code == 0
    assert listed(tmp_path) == []


def open_websocket(url: str, *, expecting: bytes) -> bool:
    port = int(url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as connection:
        connection.sendall(
            b"GET /v1/realtime HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        received = b""
        while expecting not in received:
            if not (data := connection.recv(4096)):
                return False
            received += data
    return True


LATE_S = (0.0, 0.002, 0.05, 0.3, 2.0)


def test_the_sdks_that_close_on_done_leave_whole_exchanges(tmp_path: Path) -> None:
    def script(request: Received) -> Script:
        last = Send(b"0\r\n\r\n", after_s=json.loads(request.body)["temperature"])
        return [Send(STREAM_HEAD), Send(chunk(EVENT)), Send(chunk(DONE)), last]

    def ask(base_url: str, late_s: float) -> None:
        with OpenAI(base_url=base_url, api_key="x", max_retries=0) as sdk:
            create = sdk.chat.completions.create
            for _ in create(model="m", messages=[], stream=True, temperature=late_s):
                pass

    async def ask_asynchronously(base_url: str, late_s: float) -> None:
        async with AsyncOpenAI(base_url=base_url, api_key="x", max_retries=0) as sdk:
            create = sdk.chat.completions.create
            stream: Any = await create(model="m", messages=[], stream=True, temperature=late_s)
            async for _ in stream:
                pass

    async def ask_all(base_url: str) -> None:
        await asyncio.gather(
            *(asyncio.to_thread(ask, base_url, late_s) for late_s in LATE_S),
            *(ask_asynchronously(base_url, late_s) for late_s in LATE_S),
        )

    with (
        Upstream(script) as upstream,
        serving("record", "--upstream", upstream.origin, cwd=tmp_path) as recorder,
    ):
        asyncio.run(ask_all(f"{recorder.url}/v1"))

    with Store(tmp_path / "replayproxy.db") as store:
        rows = list(store.rows())
        stored = {b"".join(c.data for c in store.chunks(row["id"])) for row in rows}
    assert [row["outcome"] for row in rows] == ["completed"] * 2 * len(LATE_S)
    assert stored == {EVENT + DONE}


def test_a_compressed_stream_is_kept_compressed_and_understood(tmp_path: Path) -> None:
    usage = b'data: {"usage":{"prompt_tokens":5,"completion_tokens":6}}\n\n'
    body = gzip.compress(EVENT + usage + DONE)
    head = STREAM_HEAD.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n")
    pieces = [body[:20], body[20:33], body[33:]]
    script = [Send(head), *(Send(chunk(piece)) for piece in pieces), Send(b"0\r\n\r\n")]
    with (
        Upstream(lambda request: script) as upstream,
        serving("record", "--upstream", upstream.origin, cwd=tmp_path) as recorder,
    ):
        live = post(recorder.url + PATH, ASK)
    with serving("replay", "--speed", "instant", cwd=tmp_path) as player:
        replayed = post(player.url + PATH, ASK)

    (row,) = listed(tmp_path)
    assert live.chunks == replayed.chunks == pieces
    assert replayed.headers["content-encoding"] == "gzip"
    assert (row["outcome"], row["input_tokens"], row["output_tokens"]) == ("completed", 5, 6)


HTTP_CASES = [
    ("HEAD", "/v1/models", b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"),
    ("DELETE", "/v1/models/x", b"HTTP/1.1 204 No Content\r\n\r\n"),
    ("GET", "/v1/models", b'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\n\r\n'),
    ("GET", "/v1/models/m",
     b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /v2/models\r\nContent-Length: 0\r\n\r\n"),
    ("POST", "/v1/embeddings", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n\x00\xff\x80"),
    ("POST", "/v1/embeddings", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
]  # fmt: skip


def test_every_kind_of_answer_is_recorded_and_replayed(tmp_path: Path) -> None:
    answers = {f"/{number}{path}": answer for number, (_, path, answer) in enumerate(HTTP_CASES)}
    asked = list(zip((method for method, _, _ in HTTP_CASES), answers, strict=True))
    with (
        Upstream(lambda request: [Send(answers[request.target])]) as upstream,
        serving("record", "--upstream", upstream.origin, cwd=tmp_path) as recorder,
        httpx2.Client(trust_env=False) as client,
    ):
        live = [client.request(method, recorder.url + path) for method, path in asked]
    with serving("replay", cwd=tmp_path) as player, httpx2.Client(trust_env=False) as client:
        # all on one connection: each answer must have ended where it should
        replayed = [client.request(method, player.url + path) for method, path in asked]

    names = ("etag", "content-length", "location")
    seen = [
        [(a.status_code, a.content, *map(a.headers.get, names)) for a in some]
        for some in (live, replayed)
    ]
    assert seen[0] == seen[1]
    assert [a.status_code for a in live] == [200, 204, 304, 307, 200, 200]
    assert [row["outcome"] for row in listed(tmp_path)] == ["completed"] * len(asked)
    assert {answer.headers["x-replayproxy"] for answer in replayed} == {"hit"}


def test_a_client_may_wait_for_permission_to_send_its_body(
    upstream: Upstream, tmp_path: Path
) -> None:
    def ask_politely(url: str) -> bytes:
        body = json.dumps(ASK).encode()
        port = int(url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as connection:
            connection.sendall(
                f"POST {PATH} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            )
            received = connection.recv(4096)
            assert received.startswith(b"HTTP/1.1 100")
            connection.sendall(body)
            while b'{"ok":true}' not in received:
                received += connection.recv(4096)
        return received

    with serving("record", "--upstream", upstream.origin, cwd=tmp_path) as recorder:
        ask_politely(recorder.url)
    with serving("replay", cwd=tmp_path) as player:
        replayed = ask_politely(player.url)

    assert b"x-replayproxy: hit" in replayed
    assert len(upstream.requests) == 1


def test_twenty_http2_streams_of_one_connection_run_at_once(tmp_path: Path) -> None:
    everybody_is_here = threading.Event()
    arrived: list[Received] = []

    def script(request: Received) -> Script:
        arrived.append(request)
        if len(arrived) == 20:
            everybody_is_here.set()
        return [Send(STREAM_HEAD + chunk(EVENT)), Wait(everybody_is_here), *streamed([DONE])[1:]]

    async def ask_all(url: str) -> list[httpx2.Response]:
        authority = ssl.create_default_context(cafile=tmp_path / "home" / "mitmproxy-ca-cert.pem")
        async with httpx2.AsyncClient(
            http2=True, verify=authority, trust_env=False, timeout=PATIENCE_S
        ) as client:
            asked = (client.post(url + PATH, json={**ASK, "n": n}) for n in range(20))
            return await asyncio.gather(*asked)

    with (
        Upstream(script) as upstream,
        serving("record", "--upstream", upstream.origin, cwd=tmp_path) as recorder,
    ):
        answers = asyncio.run(ask_all(recorder.url.replace("http:", "https:")))

    assert {answer.http_version for answer in answers} == {"HTTP/2"}
    assert [answer.content for answer in answers] == [EVENT + DONE] * 20
    rows = listed(tmp_path)
    assert [row["outcome"] for row in rows] == ["completed"] * 20
    assert shown(1, tmp_path)["request_headers"]


def test_without_bodies_tokens_cost_and_timing_are_kept_and_no_text(tmp_path: Path) -> None:
    secret = "something private"
    usage = b'data: {"usage":{"prompt_tokens":5,"completion_tokens":6,"cost":0.5}}\n\n'
    request = {**ASK, "messages": [{"role": "user", "content": secret}]}
    with (
        Upstream(lambda received: streamed([EVENT, usage, DONE], gap_s=0.15)) as upstream,
        serving("record", "--no-bodies", "--upstream", upstream.origin, cwd=tmp_path) as recorder,
    ):
        live = post(recorder.url + PATH, request)
    with serving("replay", cwd=tmp_path) as player:
        replayed = post(player.url + PATH, request)

    (row,) = listed(tmp_path)
    assert live.chunks == [EVENT, usage, DONE]
    assert (row["outcome"], row["input_tokens"], row["cost_usd"]) == ("completed", 5, 0.5)
    assert [entry["length"] for entry in shown(1, tmp_path)["chunks"]] == [
        len(EVENT),
        len(usage),
        len(DONE),
    ]
    assert replayed.status == 404
    stored = b"".join(path.read_bytes() for path in tmp_path.glob("replayproxy.db*"))
    with sqlite3.connect(tmp_path / "replayproxy.db") as connection:
        assert connection.execute("SELECT count(*) FROM bodies").fetchone() == (0,)
    connection.close()
    assert secret.encode() not in stored


def test_neither_side_sees_other_headers_than_without_us(tmp_path: Path) -> None:
    more = "Set-Cookie: a=1\r\nX-Unknown: kept\r\nX-RateLimit-Remaining: 9\r\nServer: theirs\r\n"
    sent = {"Authorization": "Bearer sk-1", "X-Unknown": "kept", "Accept-Encoding": "gzip, zstd"}
    with (
        Upstream(lambda request: plain(b"{}", status="203 Odd", more=more)) as upstream,
        serving("record", "--upstream", upstream.origin, cwd=tmp_path) as recorder,
    ):
        direct = post(upstream.origin + PATH, ASK, headers=sent)
        recorded = post(recorder.url + PATH, ASK, headers=sent)

    assert (recorded.status, recorded.headers) == (direct.status, direct.headers)
    without_us, with_us = upstream.requests
    assert with_us == without_us


def test_a_client_that_leaves_frees_the_upstream(tmp_path: Path) -> None:
    never = threading.Event()
    script: Script = [Send(STREAM_HEAD), Send(chunk(EVENT)), Wait(never)]
    with (
        Upstream(lambda request: script) as upstream,
        serving("record", "--upstream", upstream.origin, cwd=tmp_path) as recorder,
    ):
        post(recorder.url + PATH, ASK, stop_after=EVENT)
        left = time.monotonic()

        assert upstream.client_left.wait(PATIENCE_S)
        took_s = time.monotonic() - left
        never.set()

    # a second is the promise; a busy machine gets some more
    assert took_s < 5
    assert listed(tmp_path)[0]["outcome"] == "client_closed"
