"""`replayproxy env`: what it prints leads a program through a proxy that runs."""

import json
import subprocess
import sys
from pathlib import Path

from tests.end_to_end.commands import PATIENCE_S, environment, listed, run, serving
from tests.end_to_end.test_running import SAID, SDK, answer
from tests.end_to_end.upstream import Upstream

EVAL = 'eval "$("$0" -m replayproxy env {options})" && exec "$0" -c "$1"'


def in_a_shell(options: str, program: str, cwd: Path, **more: str) -> str:
    ran = subprocess.run(
        ["sh", "-c", EVAL.format(options=options), sys.executable, program],
        cwd=cwd,
        env={**environment(cwd), **more},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""
    return ran.stdout


def test_a_shell_that_evaluates_it_is_recorded_and_replayed(tmp_path: Path) -> None:
    ready = "--ready-file ready.json"
    with Upstream(answer) as upstream:
        there = {"OPENAI_BASE_URL": f"{upstream.origin}/v1", "OPENAI_API_KEY": "sk-1"}
        with serving("record", "--ready-file", "ready.json", cwd=tmp_path):
            recorded = in_a_shell(ready, SDK, tmp_path, **there)
        with serving("replay", "--ready-file", "ready.json", cwd=tmp_path) as player:
            del there["OPENAI_API_KEY"]
            address = player.url.removeprefix("http://")
            replayed = [
                in_a_shell(ready, SDK, tmp_path, **there),
                in_a_shell(f"{ready} --base-url", SDK, tmp_path),
                in_a_shell(f"--listen {address}", SDK, tmp_path, **there),
            ]
        requests = len(upstream.requests)

    assert [recorded, *replayed] == [SAID] * 4
    assert requests == len(listed(tmp_path)) == 2


def test_it_is_json_or_a_file_as_well(tmp_path: Path) -> None:
    options = ["env", "--base-url", "--upstream", "https://openrouter.ai"]

    variables = json.loads(run(*options, "--json", cwd=tmp_path).stdout)
    file = run(*options, "--format", "dotenv", cwd=tmp_path).stdout

    assert variables["OPENAI_BASE_URL"] == "http://127.0.0.1:8080/api/v1"
    assert variables["ANTHROPIC_BASE_URL"] == "http://127.0.0.1:8080"
    assert "MISTRAL_BASE_URL" not in variables
    assert "OPENAI_BASE_URL=http://127.0.0.1:8080/api/v1\n" in file


def test_an_https_host_is_recorded_and_other_hosts_still_verify(tmp_path: Path) -> None:
    """The bundle vouches for what we intercept, and for what its user trusted before."""
    variables = json.loads(run("env", "--json", cwd=tmp_path).stdout)

    bundle = Path(variables["SSL_CERT_FILE"])

    ours = (tmp_path / "home" / "mitmproxy-ca-cert.pem").read_text()
    assert ours.strip() in bundle.read_text()
    assert bundle.stat().st_mode & 0o777 == 0o600
    assert {variables[name] for name in ("CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE")} == {str(bundle)}
