"""`record|replay -- COMMAND`: real programs, whose traffic is counted where it ends."""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from replayproxy.environment import PLACEHOLDER_KEY
from tests.end_to_end.commands import COMMAND, PATIENCE_S, environment, listed, run
from tests.end_to_end.http2 import make_certificates
from tests.end_to_end.upstream import Received, Script, Upstream, plain, streamed

ASK = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
ANSWER = {
    "id": "1", "object": "chat.completion", "created": 1, "model": "m",
    "choices": [{"index": 0, "finish_reason": "stop",
                 "message": {"role": "assistant", "content": "Hello"}}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7},
}  # fmt: skip
EVENTS = [
    b'data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"m",'
    b'"choices":[{"index":0,"delta":{"content":"%b"}}]}\n\n' % text
    for text in (b"Hel", b"lo")
] + [b"data: [DONE]\n\n"]

SDK = """
import openai
with openai.OpenAI(max_retries=0) as client:
    asked = dict(model="m", messages=[{"role": "user", "content": "Hi"}])
    print(client.chat.completions.create(**asked).choices[0].message.content, end=" ")
    for piece in client.chat.completions.create(**asked, stream=True):
        print(piece.choices[0].delta.content, end="|")
"""
SAID = "Hello Hel|lo|"


def answer(request: Received) -> Script:
    if json.loads(request.body).get("stream"):
        return streamed(EVENTS)
    return plain(json.dumps(ANSWER).encode())


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream(answer) as running:
        yield running


def test_https_is_opened_and_the_authorities_of_the_user_are_trusted_still(tmp_path: Path) -> None:
    """One host is recorded and replayed, another one left alone; its own authority vouches."""
    authority, certificate = make_certificates(tmp_path / "certificates")
    trusted = {"SSL_CERT_FILE": str(authority)}
    with (
        Upstream(answer, certificate) as api,
        Upstream(lambda r: plain(b"else"), certificate) as other,
    ):
        ask = [*curl(api.origin), "--next", "-sS", "--fail", f"{other.origin}/elsewhere"]
        recorded = run(
            "record", "--upstream-ca", str(authority), "--", *ask, cwd=tmp_path, env=trusted
        )
        out = ["--passthrough", f"127.0.0.1:{other.port}"]
        replayed = run("replay", *out, "--", *ask, cwd=tmp_path, env=trusted)
        requests = [request.target for request in api.requests + other.requests]

    assert recorded.stdout == replayed.stdout == json.dumps(ANSWER) + "else", recorded.stderr
    assert (recorded.returncode, replayed.returncode) == (0, 0)
    assert requests == ["/v1/chat/completions", "/elsewhere", "/elsewhere"]
    assert [row["path"] for row in listed(tmp_path)] == ["/v1/chat/completions"]


def curl(url: str) -> list[str]:
    return ["curl", "-sS", "--fail", "-d", json.dumps(ASK), f"{url}/v1/chat/completions"]


def test_a_program_with_an_sdk_is_recorded_and_replayed_through_a_proxy(
    upstream: Upstream, tmp_path: Path
) -> None:
    app = ["--", sys.executable, "-c", SDK]
    there = {"OPENAI_BASE_URL": f"{upstream.origin}/v1", "NO_PROXY": "localhost,127.0.0.1"}

    recorded = run("record", *app, cwd=tmp_path, env={**there, "OPENAI_API_KEY": "sk-1"})
    live = len(upstream.requests)
    replayed = run("replay", *app, cwd=tmp_path, env=there)

    assert (recorded.returncode, recorded.stdout) == (0, SAID), recorded.stderr
    assert (replayed.returncode, replayed.stdout) == (0, SAID), replayed.stderr
    assert recorded.stderr == "recorded 2 exchanges, 7 tokens into replayproxy.db\n"
    assert replayed.stderr == "replayed 2 exchanges, 0 misses\n"
    assert live == len(upstream.requests) == 2
    assert upstream.requests[0].headers["authorization"] == "Bearer sk-1"


def test_a_program_is_led_by_its_base_url_where_an_upstream_is_named(
    upstream: Upstream, tmp_path: Path
) -> None:
    app = ["--", sys.executable, "-c", SDK]

    recorded = run(
        "record", "--upstream", upstream.origin, *app, cwd=tmp_path, env={"OPENAI_API_KEY": "sk-1"}
    )
    upstream.stop()
    replayed = run("replay", "--base-url", *app, cwd=tmp_path)

    assert (recorded.returncode, recorded.stdout) == (0, SAID), recorded.stderr
    assert (replayed.returncode, replayed.stdout) == (0, SAID), replayed.stderr
    assert len(upstream.requests) == 2


def test_the_path_of_the_base_url_is_the_recorded_one(upstream: Upstream, tmp_path: Path) -> None:
    origin = f"{upstream.origin}/api/v1"
    command = 'curl -sS --fail -d "$0" "$OPENAI_BASE_URL/chat/completions"; echo "$OPENAI_API_KEY"'
    app = ["--", "sh", "-c", command, json.dumps(ASK)]

    recorded = run("record", "--upstream", origin, *app, cwd=tmp_path)
    replayed = run("replay", "--base-url", *app, cwd=tmp_path)

    assert upstream.requests[0].target == "/api/v1/chat/completions"
    assert recorded.stdout == json.dumps(ANSWER) + "\n", recorded.stderr
    assert replayed.stdout == json.dumps(ANSWER) + PLACEHOLDER_KEY + "\n", replayed.stderr


def test_a_miss_makes_a_command_that_did_well_a_failure(upstream: Upstream, tmp_path: Path) -> None:
    run("record", "--", *curl(upstream.origin), cwd=tmp_path)
    other = ["curl", "-sS", "-d", "{}", f"{upstream.origin}/v1/chat/completions"]

    replayed = run("replay", "--", *other, cwd=tmp_path)

    assert replayed.returncode == 1
    assert replayed.stderr.splitlines()[-1] == "replayed 0 exchanges, 1 miss"
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("command", ["record", "replay"])
@pytest.mark.parametrize(
    ("script", "code"), [("exit 7", 7), ("kill -TERM $$", 143), ("kill -KILL $$", 137)]
)
def test_the_exit_code_is_the_commands(
    command: str, script: str, code: int, upstream: Upstream, tmp_path: Path
) -> None:
    run("record", "--", *curl(upstream.origin), cwd=tmp_path)

    assert run(command, "--", "sh", "-c", script, cwd=tmp_path).returncode == code


def test_a_command_that_is_not_there_is_told_as_shells_do(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no program")

    missing = run("record", "--", "no-such-program", cwd=tmp_path)
    unfit = run("record", "--", "./text", cwd=tmp_path)

    assert (missing.returncode, unfit.returncode) == (127, 126)
    assert missing.stderr.startswith("Error: the command 'no-such-program' was not found.")
    assert unfit.stderr.startswith("Error: the command './text' cannot be run.")
    assert not (tmp_path / "replayproxy.db").exists()


def test_standard_input_and_output_are_the_commands_own(tmp_path: Path) -> None:
    said = bytes(range(256))

    ran = subprocess.run(
        [*COMMAND, "record", "--", "cat"],
        cwd=tmp_path,
        env=environment(tmp_path),
        input=said,
        capture_output=True,
        timeout=PATIENCE_S,
        check=True,
    )

    assert ran.stdout == said
    assert ran.stderr.decode() == (
        "replayproxy: no LLM traffic came through. If there should have been some: "
        "replayproxy doctor -- cat\n"
    )


def test_what_follows_the_command_is_its_own_even_without_dashes(tmp_path: Path) -> None:
    assert run("record", "echo", "--help", "--db", "x", cwd=tmp_path).stdout == "--help --db x\n"


NODE = """
const agents = [require('http').globalAgent, new (require('http').Agent)({keepAlive: true})];
const body = JSON.stringify(%s), url = process.argv[1];
const ask = (agent) => new Promise((done, fail) => {
  const request = require('http').request(url, {method: 'POST', agent}, (answer) => {
    answer.setEncoding('utf8');
    let text = '';
    answer.on('data', (piece) => { text += piece; }).on('end', () => done(text));
  });
  request.on('error', fail).end(body);
});
(async () => {
  for (const agent of agents) console.log(JSON.parse(await ask(agent)).choices[0].message.content);
  const answer = await fetch(url, {method: 'POST', body});
  console.log((await answer.json()).choices[0].message.content);
})();
"""


@pytest.mark.skipif(not shutil.which("node") and "CI" not in os.environ, reason="no Node here")
@pytest.mark.parametrize("node", os.environ.get("REPLAYPROXY_NODES", "node").split(":"))
def test_node_is_recorded_and_replayed_with_any_agent_and_with_fetch(
    node: str, upstream: Upstream, tmp_path: Path
) -> None:
    url = f"{upstream.origin}/v1/chat/completions"
    app = ["--", node, "-e", NODE % json.dumps(ASK), url]

    recorded = run("record", *app, cwd=tmp_path)
    live = len(upstream.requests)
    replayed = run("replay", *app, cwd=tmp_path)

    assert (recorded.returncode, recorded.stdout) == (0, "Hello\n" * 3), recorded.stderr
    assert (replayed.returncode, replayed.stdout) == (0, "Hello\n" * 3), replayed.stderr
    assert live == len(upstream.requests) == 3
    assert [row["path"] for row in listed(tmp_path)] == ["/v1/chat/completions"] * 3


def test_a_way_in_that_needs_no_variables_sets_the_authority_only(tmp_path: Path) -> None:
    """Here a command names its proxy itself."""
    authority, certificate = make_certificates(tmp_path / "certificates")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    script = 'echo "$HTTPS_PROXY$OPENAI_BASE_URL"; exec "$@"'
    with Upstream(answer, certificate) as upstream:
        socks = [*curl(upstream.origin), "--socks5-hostname", f"127.0.0.1:{port}"]
        mode = ["--upstream-ca", str(authority), "--mode", f"socks5@{port}"]
        recorded = run("record", *mode, "--", "sh", "-c", script, "sh", *socks, cwd=tmp_path)

    assert recorded.stdout == "\n" + json.dumps(ANSWER), recorded.stderr
    assert len(listed(tmp_path)) == 1
