"""`replayproxy doctor -- COMMAND`: a program is run, and its traffic is watched."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.commands import run
from tests.end_to_end.http2 import make_certificates
from tests.end_to_end.test_running import answer, curl
from tests.end_to_end.upstream import Upstream, plain

DIRECTLY = """
import socket, sys, time
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as connection:
    connection.sendall(b"GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
    connection.recv(9)
    time.sleep(0.5)  # as long as a short answer takes
"""


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream(answer) as running:
        yield running


def findings(*command: str, cwd: Path) -> tuple[int, list[dict[str, Any]]]:
    ran = run("doctor", "--listen", "127.0.0.1:0", "--json", "--", *command, cwd=cwd)
    return ran.returncode, [json.loads(line) for line in ran.stdout.splitlines()]


def told(found: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(f["level"], f["text"]) for f in found if f["subject"] in {"traffic", "command"}]


def test_traffic_that_comes_through_is_well_and_nothing_is_kept(
    upstream: Upstream, tmp_path: Path
) -> None:
    code, found = findings(*curl(upstream.origin), cwd=tmp_path)

    assert told(found) == [("ok", "LLM traffic to 127.0.0.1 came through (1)")]
    assert code == 0
    assert len(upstream.requests) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def test_a_program_that_lets_nobody_open_its_tls_is_found_out(tmp_path: Path) -> None:
    """It trusts one authority only, as if it had it built in."""
    authority, certificate = make_certificates(tmp_path / "certificates")
    with Upstream(answer, certificate) as upstream:
        code, found = findings(
            *curl(upstream.origin.replace("127.0.0.1", "localhost")),
            "--cacert",
            str(authority),
            cwd=tmp_path,
        )

    assert code == 1
    assert ("problem", "the program does not trust our certificate for localhost") in told(found)
    assert ("note", "it ended with 60") in told(found)


def test_a_program_that_goes_past_us_is_found_out(tmp_path: Path) -> None:
    with Upstream(lambda request: plain(b"{}")) as upstream:
        code, found = findings(sys.executable, "-c", DIRECTLY, str(upstream.port), cwd=tmp_path)

    past_us = f"it was connected to 127.0.0.1:{upstream.port} directly, past us"
    assert ("note", past_us) in told(found)
    assert ("problem", "no LLM traffic came through") in told(found)
    assert code == 1


def test_it_says_all_without_a_command_too(tmp_path: Path) -> None:
    key = {"OPENAI_API_KEY": "sk-secret1"}
    ran = run("doctor", "--listen", "127.0.0.1:0", cwd=tmp_path, env=key)

    assert ran.returncode == 0, ran.stdout
    assert "ok   replayproxy: " in ran.stdout
    assert "ok   database: replayproxy.db is not there yet: made on first use" in ran.stdout
    assert "keys: set: OPENAI_API_KEY" in ran.stdout
    assert "sk-secret1" not in ran.stdout
    assert list(tmp_path.iterdir()) == [tmp_path / "home"]
