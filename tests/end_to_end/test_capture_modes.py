"""Every way in, recorded and replayed; and where none leads."""

import base64
import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.commands import PATIENCE_S, Child, listed, run, serving
from tests.end_to_end.faults import faulty
from tests.end_to_end.upstream import Received, Script, Send, Upstream, plain, streamed
from tests.end_to_end.wire import post

PATH = "/v1/chat/completions"
EVENT = b'data: {"model":"gpt-x","choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n'
CHUNKS = [EVENT[:20], EVENT[20:], b"data: [DONE]\n\n"]
ASK = {"model": "gpt-x", "stream": True, "messages": [{"role": "user", "content": "Hi"}]}


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream(lambda request: streamed(CHUNKS)) as running:
        yield running


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def named(text: str) -> Upstream:
    """An upstream that says which it is."""
    return Upstream(lambda request: plain(json.dumps({"i am": text}).encode()))


def ways_said(child: Child, what: str) -> list[str]:
    """What stands behind these words in the lines a command has said."""
    return [line.partition(what)[2].split()[0] for line in child.words.splitlines() if what in line]


def curl(url: str, *arguments: str, body: Any = ASK) -> bytes:
    """What curl gets; `-k` is never among the arguments."""
    return subprocess.run(
        ["curl", "--silent", "--show-error", "--no-buffer", "--noproxy", "", *arguments,
         "--json", json.dumps(body), url],
        capture_output=True,
        timeout=PATIENCE_S,
        check=True,
    ).stdout  # fmt: skip


def test_upstreams_have_a_prefix_each_and_the_recording_has_none(tmp_path: Path) -> None:
    with named("one") as one, named("two") as two:
        upstreams = (f"--upstream=/one={one.origin}", f"--upstream=/two={two.origin}/v1")
        with serving("record", *upstreams, cwd=tmp_path) as recorder:
            answers = [
                post(f"{recorder.url}/{name}{PATH}", ASK).json for name in ("one", "two", "one")
            ]
            lost = post(recorder.url + PATH, ASK)

        assert answers == [{"i am": "one"}, {"i am": "two"}, {"i am": "one"}]
        assert [request.target for request in one.requests] == [PATH, PATH]
        assert [request.headers["host"] for request in two.requests] == [
            two.origin.removeprefix("http://")
        ]
        assert lost.status == 404
        assert "/one/ (127.0.0.1), /two/ (127.0.0.1)" in lost.json["error"]["message"]
    assert f"{recorder.url}/two/v1 (127.0.0.1)" in recorder.words
    assert [row["path"] for row in listed(tmp_path)] == [PATH] * 3

    with serving("replay", *upstreams, "--match-on", "host", cwd=tmp_path) as player:
        # as base URL with the prefix; for who asks a proxy, the path is the upstream's
        again = post(f"{player.url}/two{PATH}", ASK)
        with_token = post(f"{player.url}/_replayproxy/session/7/one{PATH}", ASK)
        other_way = post(two.origin + PATH, ASK, tunnel=player.url)

    assert (again.status, with_token.status, other_way.status) == (200, 200, 200)


def test_hosts_that_recorded_the_same_request_are_told_apart_by_prefix(tmp_path: Path) -> None:
    with named("one") as one, named("two") as two:
        other = two.origin.replace("127.0.0.1", "localhost")
        upstreams = (f"--upstream=/one={one.origin}", f"--upstream=/two={other}")
        with serving("record", *upstreams, cwd=tmp_path) as recorder:
            for name in ("one", "two"):
                post(f"{recorder.url}/{name}{PATH}", ASK)
    with serving("replay", *upstreams, cwd=tmp_path) as player:
        answers = [post(f"{player.url}/{name}{PATH}", ASK).json for name in ("two", "one")]

    assert answers == [{"i am": "two"}, {"i am": "one"}]


def test_upstreams_have_a_port_each(tmp_path: Path) -> None:
    second = free_port()
    with named("one") as one, named("two") as two:
        upstreams = (f"--upstream={one.origin}", f"--upstream={second}={two.origin}")
        with serving("record", *upstreams, cwd=tmp_path) as recorder:
            answers = [
                post(url + PATH, ASK).json for url in (recorder.url, f"http://127.0.0.1:{second}")
            ]
    with serving("replay", *upstreams, cwd=tmp_path):
        again = post(f"http://127.0.0.1:{second}{PATH}", ASK)

    assert answers == [{"i am": "one"}, {"i am": "two"}]
    assert again.headers["x-replayproxy"] == "hit"


def test_several_modes_at_once_and_every_replay_port_takes_each(
    upstream: Upstream, tmp_path: Path
) -> None:
    modes = (f"--mode=regular@{free_port()}", f"--mode=socks5@127.0.0.1:{free_port()}")
    with serving("record", "--upstream", upstream.origin, *modes, cwd=tmp_path) as recorder:
        (base_url,) = ways_said(recorder, "base URL for clients: ")
        (proxy,) = ways_said(recorder, "HTTPS_PROXY=")
        (socks,) = ways_said(recorder, "ALL_PROXY=")
        live = [
            curl(base_url.removesuffix("/v1") + PATH),
            curl(upstream.origin + PATH, "--proxy", proxy),
            curl(upstream.origin + PATH, "--proxy", socks),
        ]
    assert live == [b"".join(CHUNKS)] * 3
    assert [row["path"] for row in listed(tmp_path)] == [PATH] * 3
    assert len({row["host"] for row in listed(tmp_path)}) == 1
    assert len(upstream.requests) == 3

    ca = str(tmp_path / "home" / "mitmproxy-ca-cert.pem")
    with serving("replay", *modes, "--upstream", upstream.origin, cwd=tmp_path) as player:
        ports = [player.url, *ways_said(player, "HTTPS_PROXY="), *ways_said(player, "ALL_PROXY=")]
        assert len({port.rpartition(":")[2] for port in ports}) == 3
        for port in ports:
            address = port.partition("://")[2]
            replayed = [
                curl(f"http://{address}{PATH}"),
                curl(f"https://{address}{PATH}", "--cacert", ca),
                *(
                    curl(f"{scheme}://api.example.invalid{PATH}", "--proxy", proxy, "--cacert", ca)
                    for scheme in ("http", "https")
                    for proxy in (f"http://{address}", f"socks5h://{address}")
                ),
            ]
            assert replayed == [b"".join(CHUNKS)] * 6
    assert len(upstream.requests) == 3


def test_a_transparent_replay_answers_for_whatever_host_is_named(
    upstream: Upstream, tmp_path: Path
) -> None:
    """What a redirection by the system brings here: no word about a proxy, another's name."""
    with serving("record", "--upstream", upstream.origin, cwd=tmp_path) as recorder:
        post(recorder.url + PATH, ASK)

    ca = str(tmp_path / "home" / "mitmproxy-ca-cert.pem")
    with serving("replay", "--mode", "transparent", cwd=tmp_path) as player:
        port = player.url.rpartition(":")[2]
        lead = ("--connect-to", f"::127.0.0.1:{port}", "--cacert", ca)
        answers = [curl(f"{scheme}://api.openai.com{PATH}", *lead) for scheme in ("http", "https")]

    assert answers == [b"".join(CHUNKS)] * 2


class Company:
    """A company's proxy: no way out without its password. What tunnels lead to is here, too."""

    def __init__(self) -> None:
        self.asked: list[Received] = []

    def script(self, request: Received) -> Script:
        self.asked.append(request)
        password = base64.b64encode(b"me:secret").decode()
        in_tunnel = request.target.startswith("/")
        if not in_tunnel and request.headers.get("proxy-authorization") != f"Basic {password}":
            return plain(b"", status="407 Proxy Authentication Required")
        if request.method == "CONNECT":
            return [Send(b"HTTP/1.1 200 OK\r\n\r\n")]
        return streamed(CHUNKS)


@pytest.mark.parametrize("way", ["proxy", "base URL"])
def test_behind_a_companys_proxy(way: str, tmp_path: Path) -> None:
    company = Company()
    with Upstream(company.script) as proxy:
        modes = ["--mode", f"upstream:{proxy.origin}@{free_port()}"]
        if way == "base URL":
            modes += ["--upstream", "http://llm.example.invalid:8000"]
        password = {"REPLAYPROXY_UPSTREAM_AUTH": "me:secret"}
        with serving("record", *modes, cwd=tmp_path, env=password) as recorder:
            if way == "base URL":
                live = curl(recorder.url + PATH, "--header", "Authorization: Bearer sk-1")
            else:
                (port,) = ways_said(recorder, "HTTPS_PROXY=")
                live = curl("http://llm.example.invalid:8000" + PATH, "--proxy", port)

    assert live == b"".join(CHUNKS)
    (row,) = listed(tmp_path)
    assert (row["host"], row["path"], row["outcome"]) == (
        "llm.example.invalid",
        PATH,
        "completed",
    )
    assert "me:secret" not in recorder.words
    if way == "base URL":
        tunnel, request = company.asked
        assert (tunnel.method, tunnel.target) == ("CONNECT", "llm.example.invalid:8000")
        assert request.headers["authorization"] == "Bearer sk-1"
        assert "proxy-authorization" not in request.headers


def test_a_base_url_port_reaches_its_upstream_and_nothing_else(tmp_path: Path) -> None:
    with named("it") as upstream, named("other") as other:
        with serving("record", "--upstream", upstream.origin, cwd=tmp_path) as recorder:
            port = int(recorder.url.rpartition(":")[2])
            there = other.origin.removeprefix("http://")
            answers = [
                raw(port, f"GET {other.origin}/v1/models HTTP/1.1\r\nHost: {there}\r\n\r\n"),
                raw(port, f"GET /v1/models HTTP/1.1\r\nHost: {there}\r\n\r\n"),
                raw(port, f"CONNECT {there} HTTP/1.1\r\nHost: {there}\r\n\r\n"),
            ]

        assert other.connections == 0
        assert [b'"it"' in answer for answer in answers] == [True, True, False]
        assert answers[2].startswith(b"HTTP/1.1 4")


def raw(port: int, text: str) -> bytes:
    """What is answered first."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as connection:
        connection.sendall(text.encode())
        received = b""
        while b"}" not in received and (data := connection.recv(4096)):
            received += data
        return received


NOWHERE = [
    ("169.254.169.254", 80, "link-local"),
    ("[fe80::1]", 80, "link-local"),
    ("[::ffff:169.254.169.254]", 80, "link-local"),
    ("127.0.0.1", None, "itself"),
    ("0.0.0.0", None, "itself"),  # noqa: S104 (that is what must not work)
    ("localhost", None, "itself"),
]


def test_nobody_is_led_to_link_local_addresses_or_to_ourselves(tmp_path: Path) -> None:
    with serving("record", cwd=tmp_path) as recorder:
        own = int(recorder.url.rpartition(":")[2])
        for host, port, _ in NOWHERE:
            there = f"{host}:{port or own}"
            answer = raw(own, f"GET http://{there}/v1/models HTTP/1.1\r\nHost: {there}\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 502"), there

    errors = [row["error"] for row in listed(tmp_path)]
    assert [reason in error for error, (*_, reason) in zip(errors, NOWHERE, strict=True)] == [
        True
    ] * len(NOWHERE), errors


def test_who_listens_everywhere_is_found_at_every_address(tmp_path: Path) -> None:
    everywhere = f"--mode=regular@0.0.0.0:{free_port()}"
    with serving("record", everywhere, "--expose", cwd=tmp_path) as recorder:
        own = int(recorder.url.rpartition(":")[2])
        for host in ("127.0.0.2", "0.0.0.0", "localhost"):  # noqa: S104 (must not work)
            there = f"{host}:{own}"
            answer = raw(own, f"GET http://{there}/v1/models HTTP/1.1\r\nHost: {there}\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 502"), there

    assert {"itself" in row["error"] for row in listed(tmp_path)} == {True}


def test_what_others_can_reach_needs_a_word_and_wireguard_has_keys(tmp_path: Path) -> None:
    refused = run("record", "--mode", "socks5@0.0.0.0:0", cwd=tmp_path)
    missing = run("replay", "--mode", "regular@0.0.0.0:0", cwd=tmp_path)

    assert (refused.returncode, missing.returncode) == (2, 2)
    assert "--expose" in refused.stderr
    with serving("record", "--mode", f"wireguard@0.0.0.0:{free_port()}", cwd=tmp_path) as recorder:
        (settings,) = ways_said(recorder, "client settings in ")
    text = Path(settings.rstrip(";")).read_text()
    assert "PrivateKey" in text
    assert Path(settings.rstrip(";")).stat().st_mode & 0o777 == 0o600
    assert text.split("PrivateKey = ")[1].split()[0] not in recorder.words


@pytest.mark.parametrize(
    ("fault", "arguments", "status"),
    [
        # it must not be guessed whose key it is
        pytest.param("Router._send", (), 502, id="routing"),
        pytest.param("Fence._reason", (), 200, id="the fence"),
        pytest.param("Fence._reason", ("--expose",), 502, id="the fence of others"),
    ],
)
def test_a_fault_sends_no_request_to_another_upstream(
    fault: str, arguments: tuple[str, ...], status: int, tmp_path: Path
) -> None:
    with named("one") as one, named("two") as two:
        upstreams = (f"--upstream=/one={one.origin}", f"--upstream=/two={two.origin}")
        where = ("replayproxy.routing", fault)
        with faulty(where, 0, "record", *upstreams, *arguments, cwd=tmp_path) as recorder:
            answer = post(f"{recorder.url}/two{PATH}", ASK)

        assert answer.status == status
        assert one.connections == 0
        assert two.connections == (status == 200)
