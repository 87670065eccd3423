"""`replay --passthrough HOST`: that host is really asked, and no other."""

import os
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.end_to_end.commands import PATIENCE_S, run, serving
from tests.end_to_end.upstream import Upstream, plain
from tests.end_to_end.wire import post

CHAT = "/v1/chat/completions"
ASK = {"model": "m", "messages": []}


def run_bytes(command: Sequence[str], *, code: int = 0) -> bytes:
    ran = subprocess.run(command, capture_output=True, timeout=PATIENCE_S, check=False)
    assert ran.returncode == code, ran.stderr
    return ran.stdout


@contextmanager
def socket_that_refuses() -> Iterator[int]:
    """A port that is taken, and where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def test_the_named_server_is_asked_in_every_way_and_the_recorded_one_never(tmp_path: Path) -> None:
    blob = os.urandom(3_000_000)
    with (
        Upstream(lambda request: plain(b'{"recorded": 1}')) as api,
        Upstream(lambda request: plain(blob, content_type="x/y")) as database,
    ):
        recorded = run(
            "record", "--", "curl", "-sS", api.origin + CHAT, "--json", "{}", cwd=tmp_path
        )
        with serving("replay", "--passthrough", "127.0.0.1", cwd=tmp_path) as player:
            tunnelled = post(database.origin + "/points", ASK, tunnel=player.url)
            again = post(api.origin + CHAT, {}, tunnel=player.url)
            curl = ["curl", "-sS", "--noproxy", "", "-x", player.url]
            plainly = run_bytes([*curl, database.origin + "/points"])
            by_socks = [
                "curl",
                "-sS",
                "--noproxy",
                "",
                "-x",
                player.url.replace("http:", "socks5h:"),
            ]
            socks = run_bytes([*by_socks, database.origin + "/points"])
            api_by_socks = run_bytes([*by_socks, api.origin + CHAT, "--json", "{}"])
            elsewhere = post("http://other.invalid:80/x", ASK, tunnel=player.url)
            api_plainly = run_bytes([*curl, api.origin + CHAT, "--json", "{}"])

    assert recorded.returncode == 0, recorded.stderr
    assert tunnelled.body == plainly == socks == blob
    assert api_by_socks == b'{"recorded": 1}'
    assert "x-replayproxy" not in tunnelled.headers
    assert again.json == {"recorded": 1}
    assert api_plainly == b'{"recorded": 1}'
    assert elsewhere.status == 404
    assert [request.target for request in database.requests] == ["/points"] * 3
    assert database.requests[1].headers["host"] == f"127.0.0.1:{database.port}"
    assert len(api.requests) == 1
    assert "replayed 3 exchanges, 1 miss" in player.words


def test_a_server_that_is_not_there_is_told_in_both_ways(tmp_path: Path) -> None:
    with Upstream(lambda request: plain(b"{}")) as upstream:
        run("record", "--", "curl", "-sS", upstream.origin + CHAT, "--json", "{}", cwd=tmp_path)
    with (
        socket_that_refuses() as port,
        serving("replay", "--passthrough", f"127.0.0.1:{port}", cwd=tmp_path) as player,
    ):
        curl = ["curl", "-sS", "--noproxy", "", "-x", player.url, "-o", "/dev/null"]
        status = ["-w", "%{http_code} %{http_connect}"]
        plainly = run_bytes([*curl, *status, f"http://127.0.0.1:{port}/"])
        tunnelled = run_bytes([*curl, *status, "-p", f"http://127.0.0.1:{port}/"], code=56)

    assert plainly == b"502 000"
    assert tunnelled == b"000 502"


def test_no_tunnel_leads_back_to_the_replay_itself(tmp_path: Path) -> None:
    with Upstream(lambda request: plain(b"{}")) as upstream:
        run("record", "--", "curl", "-sS", upstream.origin + CHAT, "--json", "{}", cwd=tmp_path)
    with serving("replay", "--passthrough", "127.0.0.1", cwd=tmp_path) as player:
        answer = post(player.url + CHAT, {}, tunnel=player.url)

    assert answer.headers["x-replayproxy"] == "hit"


def test_what_is_replayed_is_let_out_by_no_slip(tmp_path: Path) -> None:
    with Upstream(lambda request: plain(b"{}")) as upstream:
        run("record", "--", "curl", "-sS", upstream.origin + CHAT, "--json", "{}", cwd=tmp_path)

    refused = run("replay", "--passthrough", "api.openai.com", cwd=tmp_path)

    assert refused.returncode == 2
    assert "--passthrough api.openai.com:443" in refused.stderr
