"""AIgateway's callbacks: recorded in front of the app, sent again, accepted by its SDK."""

import hashlib
import hmac
import json
import time
from pathlib import Path
from typing import Any

import pytest
from aigateway import verify_webhook

from tests.end_to_end.commands import listed, run, serving
from tests.end_to_end.upstream import Received, Upstream, plain
from tests.end_to_end.wire import post

AN_HOUR = 3600
SECRET = "whsec_0123456789abcdef0123456789abcdef"
BODY = json.dumps({"event": "job.completed", "job": {"id": "job_1", "note": "café"}}).encode()


def delivered(request: Received) -> bool:
    """What an app does with a delivery."""
    return bool(verify_webhook(SECRET, request.body, request.headers["x-gateway-signature"]))


class App:
    """Takes deliveries, if they are signed as they should be."""

    def __init__(self) -> None:
        self.accepted: list[Received] = []

    def script(self, request: Received) -> Any:
        if not delivered(request):
            return plain(b'{"error":"signature"}', status="401 Unauthorized")
        self.accepted.append(request)
        return plain(b'{"ok":true}')


def signed_by_the_gateway(at: int) -> str:
    """By hand, as AIgateway's documentation has it: not by what is tested."""
    digest = hmac.new(SECRET.encode(), f"{at}.".encode() + BODY, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A delivery and another request that reached the app; the signature that came with it."""
    folder = tmp_path_factory.mktemp("webhooks")
    sign = signed_by_the_gateway(int(time.time()) - AN_HOUR)
    with (
        Upstream(lambda request: plain(b'{"ok":true}')) as upstream,
        serving("record", "--upstream", upstream.origin, cwd=folder) as recorder,
    ):
        headers = {"X-Gateway-Signature": sign, "X-Team": "blue"}
        answer = post(f"{recorder.url}/hooks/ai?x=1", BODY, headers=headers)
        post(f"{recorder.url}/orders", {}, headers={"X-Gateway-Signature": sign}, method="PUT")
    assert answer.json == {"ok": True}
    assert upstream.requests[0].headers["x-gateway-signature"] == sign
    return folder, sign


def replay(folder: Path, app: App, *arguments: str, secret: str = SECRET) -> Any:
    """`replayproxy webhook replay`, sent to an app that runs meanwhile."""
    with Upstream(app.script) as upstream:
        return run(
            "webhook", "replay", "1", "--to", upstream.origin, "--secret-env", "SECRET",
            *arguments, cwd=folder, env={"SECRET": secret},
        )  # fmt: skip


def test_deliveries_are_told_apart_from_other_requests(recorded: tuple[Path, str]) -> None:
    folder, _ = recorded

    (line,) = run("webhook", "list", "--json", cwd=folder).stdout.splitlines()
    words = run("webhook", "list", cwd=folder).stdout

    assert {**json.loads(line), "started_at": ""} == {
        "id": 1, "started_at": "", "path": "/hooks/ai", "bytes": len(BODY),
        "event": "job.completed", "status": 200,
    }  # fmt: skip
    assert "job.completed" in words
    assert len(listed(folder)) == 2


def test_one_is_sent_again_and_the_sdk_accepts_it(recorded: tuple[Path, str]) -> None:
    folder, sign = recorded
    app = App()

    done = replay(folder, app)

    assert done.returncode == 0, done.stderr
    (request,) = app.accepted
    assert (request.method, request.target, request.body) == ("POST", "/hooks/ai?x=1", BODY)
    assert not verify_webhook(SECRET, BODY, sign), "what was recorded is too old by now"
    assert "X-Team" in done.stderr
    assert "200 OK" in done.stdout
    assert SECRET not in done.stdout + done.stderr


def test_the_recorded_signature_is_not_in_the_file(recorded: tuple[Path, str]) -> None:
    folder, sign = recorded
    digest = sign.partition("v1=")[2]

    stored = b"".join(path.read_bytes() for path in folder.glob("replayproxy.db*"))

    assert digest.encode() not in stored
    assert bytes.fromhex(digest) not in stored
    assert sign.split(",")[0].encode() not in stored


def test_a_path_and_a_secret_file_can_be_named_and_json_is_for_machines(
    recorded: tuple[Path, str], tmp_path: Path
) -> None:
    folder, _ = recorded
    (tmp_path / "secret").write_text(SECRET + "\n")
    app = App()
    with Upstream(app.script) as upstream:
        done = run(
            "webhook", "replay", "1", "--secret-file", str(tmp_path / "secret"),
            "--to", f"{upstream.origin}/other", "--json", cwd=folder,
        )  # fmt: skip

    assert json.loads(done.stdout) == {"id": 1, "url": f"{upstream.origin}/other", "status": 200}
    assert [request.target for request in app.accepted] == ["/other"]


def test_an_app_that_turns_it_down_is_a_problem_found(recorded: tuple[Path, str]) -> None:
    folder, _ = recorded

    done = replay(folder, App(), secret="another")

    assert done.returncode == 1
    assert "401 Unauthorized" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("1",), 2, "--secret-file FILE or --secret-env NAME"),
        (("1", "--secret-env", "NOT_SET"), 2, "NOT_SET holds no secret"),
        (("9", "--secret-env", "SECRET"), 1, "no exchange 9"),
        (("1", "--secret-env", "SECRET", "--to", "http://127.0.0.1:9"), 1, "Is the app there?"),
        (("1", "--secret-env", "SECRET", "--to", "nowhere"), 2, "is not a URL"),
    ],
)
def test_what_cannot_be_done_is_said(
    recorded: tuple[Path, str], arguments: tuple[str, ...], code: int, said: str
) -> None:
    folder, _ = recorded

    done = run("webhook", "replay", *arguments, cwd=folder, env={"SECRET": SECRET})

    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr
