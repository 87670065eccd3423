"""`replayproxy verify` against a live API that changes, breaks, or has gone."""

import hashlib
import json
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.builders import eventually
from tests.end_to_end.commands import COMMAND, PATIENCE_S, environment, run, serving
from tests.end_to_end.http2 import make_certificates
from tests.end_to_end.upstream import (
    STREAM_HEAD,
    Close,
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

CHAT = "/v1/chat/completions"
KEY = "sk-LIVE-3f9a7c51d2"
NO_KEYS = {"OPENAI_API_KEY": "", "ANTHROPIC_API_KEY": ""}


def event(delta: dict[str, Any], *, model: str = "gpt-x-1", **more: Any) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": more.pop("finish", None)}
    return f"data: {json.dumps({'model': model, 'choices': [choice], **more})}\n\n".encode()


def answer(text: str, *, finish: str = "stop", **more: Any) -> Script:
    events = [event({"role": "assistant", "content": text}, **more)]
    events.append(event({}, finish=finish, usage={"prompt_tokens": 3}, **more))
    return streamed([*events, b"data: [DONE]\n\n"])


def tool_call(name: str) -> Script:
    call = {"index": 0, "id": "c1", "function": {"name": name, "arguments": "{}"}}
    return streamed(
        [event({"tool_calls": [call]}), event({}, finish="tool_calls"), b"data: [DONE]\n\n"]
    )


def document(**members: Any) -> Script:
    return plain(json.dumps(members).encode())


JOB = ("/v1/jobs/1", document(status="queued", result=None), document(status="done", result={}))
MODELS = ("/v1/models", document(object="list", data=[{"id": "gpt-x", "owned_by": None}]))
LIMITED = plain(b'{"error":{"message":"slow down"}}', status="429 Too Many Requests")
HELLO = answer("Hello there, friend")
RECORDED: dict[str, list[Script]] = {
    "hello": [HELLO],
    "busy": [LIMITED, answer("now")],
    MODELS[0]: [MODELS[1]],
    JOB[0]: [JOB[1], JOB[2]],
    "/v1/files/7": [document(deleted=True)],
}
LIVE: dict[str, list[Script]] = {**RECORDED, "busy": [answer("now")]}


@dataclass(slots=True)
class Api:
    """A live API: what it answers to each question (or path), one after the other."""

    answers: dict[str, list[Script]]
    asked: list[str] = field(default_factory=list)

    def script(self, request: Received) -> Script:
        name = request.target
        if name.startswith(CHAT):
            name = json.loads(request.body)["messages"][0]["content"]
        self.asked.append(name)
        answers = self.answers[name]
        return answers.pop(0) if len(answers) > 1 else answers[0]


@dataclass(frozen=True, slots=True)
class Recorded:
    """A folder with a cassette, and the API that it was recorded from."""

    folder: Path
    api: Api
    upstream: Upstream

    def now(self, answers: dict[str, list[Script]]) -> None:
        """What the API says from now on."""
        self.api.answers = {name: [*scripts] for name, scripts in answers.items()}
        self.api.asked.clear()
        self.upstream.requests.clear()

    def verify(
        self, *arguments: str, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return run("verify", *arguments, cwd=self.folder, env={**NO_KEYS, **(env or {})})

    def results(self, *arguments: str) -> list[dict[str, Any]]:
        """What `--json` says."""
        ended = self.verify("--json", *arguments)
        return [json.loads(line) for line in ended.stdout.splitlines()]


@contextmanager
def recorded_from(answers: dict[str, list[Script]], folder: Path) -> Iterator[Recorded]:
    """Record each answer, in this order; the API goes on living."""
    api = Api({})
    with Upstream(api.script) as upstream:
        recorded = Recorded(folder, api, upstream)
        recorded.now(answers)
        with serving("record", "--upstream", upstream.origin, cwd=folder) as recorder:
            for name, scripts in answers.items():
                for _ in scripts:
                    if name.startswith("/"):
                        method = "DELETE" if "files" in name else "GET"
                        post(recorder.url + name, b"", method=method)
                    else:
                        headers = {"Authorization": "Bearer old"}
                        post(recorder.url + CHAT, ask(name), headers=headers)
        yield recorded


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    with recorded_from(RECORDED, tmp_path_factory.mktemp("verifying")) as recorded:
        yield recorded


@pytest.fixture
def recorded(recording: Recorded) -> Recorded:
    """Exchanges 1 (hello), 2 and 3 (busy), 4 (models), 5 and 6 (a job), 7 (deleting a file)."""
    recording.now(LIVE)
    return recording


def ask(question: str) -> dict[str, Any]:
    return {"model": "gpt-x", "stream": True, "messages": [{"role": "user", "content": question}]}


def test_an_api_that_is_as_it_was_is_the_same_and_the_file_is_untouched(recorded: Recorded) -> None:
    database = recorded.folder / "replayproxy.db"
    before = hashlib.sha256(database.read_bytes()).digest()

    ended = recorded.verify()

    assert (ended.returncode, "Traceback" in ended.stderr) == (0, False), ended.stderr
    assert ended.stderr.splitlines()[-1] == "verified 4 requests: 4 same"
    assert sorted(recorded.api.asked) == ["/v1/jobs/1", "/v1/models", "busy", "hello"]
    assert hashlib.sha256(database.read_bytes()).digest() == before
    assert {path.name for path in recorded.folder.iterdir() if path.stat().st_size} <= {
        "home",
        "replayproxy.db",
        "replayproxy.db-shm",  # every reader makes one
    }


def test_what_is_sent_is_what_was_recorded(recorded: Recorded) -> None:
    recorded.verify("1", "--header", f"Authorization: Bearer {KEY}")

    (sent,) = recorded.upstream.requests
    assert (sent.method, sent.target) == ("POST", CHAT)
    assert json.loads(sent.body) == ask("hello")
    assert sent.headers["authorization"] == f"Bearer {KEY}"
    assert sent.headers["content-type"] == "application/json"
    assert sent.headers["host"] == recorded.upstream.origin.removeprefix("http://")


def test_what_is_sent_is_said_and_a_dry_run_sends_nothing(recorded: Recorded) -> None:
    ended = recorded.verify("--dry-run")
    planned = [json.loads(x) for x in recorded.verify("--dry-run", "--json").stdout.splitlines()]

    assert ended.returncode == 0
    assert f"would send 4 requests to {recorded.upstream.origin} (gpt-x x2, " in ended.stderr
    assert "a key is missing. Give --header" in ended.stderr
    assert "left out: 1 exchange might change something there" in ended.stderr
    assert "left out: 1 exchange answered by a passing error (429, 5xx)" in ended.stderr
    assert [plan["exchange_ids"] for plan in planned] == [[1], [3], [4], [5, 6]]
    assert "/v1/jobs/1" in ended.stdout
    assert recorded.upstream.requests == []


@dataclass(frozen=True, slots=True)
class Change:
    """An answer as it was recorded and as it is now; how that is told."""

    recorded: list[Script]
    live: Script
    kind: str
    where: str
    before: str
    now: str


CHANGES = {
    "another status": Change(
        [HELLO],
        plain(b'{"error":{"message":"no such model"}}', status="404 Not Found"),
        "status", "status", "200", "404 (no such model)",
    ),
    "an error inside a 200": Change(
        [HELLO],
        streamed([b'data: {"error":{"message":"overloaded"}}\n\n', b"data: [DONE]\n\n"]),
        "status", "error inside a 200", "none", "overloaded",
    ),
    "no stream any more": Change(
        [HELLO],
        document(choices=[]),
        "shape", "content-type", "text/event-stream", "application/json",
    ),
    "another finish reason": Change(
        [HELLO],
        answer("Hello there, friend", finish="length"),
        "shape", "finish reason", "stop", "length",
    ),
    "another tool": Change(
        [tool_call("get_weather")],
        tool_call("get_climate"),
        "shape", "tool calls", "get_weather", "get_climate",
    ),
    "another model": Change(
        [HELLO],
        answer("Hello there, friend", model="gpt-x-2"),
        "model", "model", "gpt-x-1", "gpt-x-2",
    ),
    "/v1/another-type": Change(
        [document(data=[{"id": "gpt-x"}])],
        document(data=[{"id": 7}]),
        "shape", "$.data[].id", "string", "number",
    ),
    "/v1/a-member-gone": Change(
        [document(data=[{"id": "a", "owned_by": None}])],
        document(data=[{"id": "b"}]),
        "shape", "$.data[].owned_by", "null", "gone",
    ),
    "/v1/none-of-the-states": Change(
        [document(status="queued", result=None), document(status="done", result={})],
        document(status=3, result={}),
        "shape", "$.status", "string", "number",
    ),
}  # fmt: skip
BROKEN: dict[str, tuple[Script, str]] = {
    "closed in mid-stream": ([Send(STREAM_HEAD + chunk(event({}))), Close()], "it broke off"),
    "no terminal": (streamed([event({"content": "a"})]), "broke off: the stream ended without"),
    "no HTTP": ([Send(b"nonsense\r\n\r\n"), Close()], "it broke off, or is no HTTP"),
    "an unknown encoding": (
        plain(b"{}", more="Content-Encoding: rot13\r\n"),
        "the live answer cannot be read: unknown content-encoding 'rot13'",
    ),
    "closed at once": ([Close()], "it broke off, or is no HTTP"),
}


UNREADABLE = "an encoding that was unknown when it was recorded"


@dataclass(frozen=True, slots=True)
class Report:
    """One verification of all of these, by their questions; as JSON and as a table."""

    results: dict[str, dict[str, Any]]
    shown: subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Report]:
    was: dict[str, list[Script]] = {name: change.recorded for name, change in CHANGES.items()}
    was |= {name: [HELLO] for name in BROKEN}
    was[UNREADABLE] = [BROKEN["an unknown encoding"][0]]
    with recorded_from(was, tmp_path_factory.mktemp("changes")) as recorded:
        live: dict[str, list[Script]] = {name: [change.live] for name, change in CHANGES.items()}
        live[UNREADABLE] = [HELLO]
        recorded.now(live | {name: [script] for name, (script, _) in BROKEN.items()})
        results = dict(zip(was, recorded.results(), strict=True))
        yield Report(results, recorded.verify())


@pytest.mark.parametrize("name", CHANGES)
def test_what_has_changed_is_drift(name: str, report: Report) -> None:
    change, result = CHANGES[name], report.results[name]

    counting = [d for d in result["differences"] if d["counts"]]
    assert result["verdict"] == "drift"
    assert counting == [
        {
            "kind": change.kind,
            "where": change.where,
            "recorded": change.before,
            "live": change.now,
            "counts": True,
        }
    ]
    assert f"{change.before} -> {change.now}" in report.shown.stdout


@pytest.mark.parametrize("name", BROKEN)
def test_an_answer_that_is_not_whole_cannot_be_verified(name: str, report: Report) -> None:
    result = report.results[name]

    assert result["verdict"] == "failed"
    assert BROKEN[name][1] in result["reason"]


def test_what_was_recorded_in_an_encoding_that_is_unknown_here_is_no_drift(report: Report) -> None:
    result = report.results[UNREADABLE]

    assert result["verdict"] == "failed"
    assert result["reason"].startswith("the recorded answer cannot be read: unknown content-enc")


def test_the_report_counts_them_and_the_exit_code_tells(report: Report) -> None:
    assert report.shown.stderr.splitlines()[-1] == "verified 15 requests: 9 drift, 6 failed"
    assert "Traceback" not in report.shown.stderr
    assert report.shown.returncode == 1


def test_additions_and_other_words_are_told_and_count_if_asked_for(recorded: Recorded) -> None:
    recorded.now({"hello": [answer("Hello there, stranger", service_tier="x")]})

    told, counted = (
        recorded.results("1")[0],
        recorded.results("1", "--fail-on", "additions,text")[0],
    )
    enough = recorded.results("1", "--fail-on", "text", "--alike", "50")[0]

    assert (told["verdict"], told["alike"]) == ("same", 0.75)
    assert [(d["kind"], d["where"], d["live"]) for d in told["differences"]] == [
        ("additions", "$.service_tier", "new, string"),
        ("text", "text", "75% alike"),
    ]
    assert [d["counts"] for d in counted["differences"]] == [True, True]
    assert (counted["verdict"], enough["verdict"]) == ("drift", "same")


def test_an_upstream_that_is_busy_is_asked_again(recorded: Recorded) -> None:
    busy = plain(b"{}", status="429 Too Many Requests", more="Retry-After: 0\r\n")
    recorded.now({"hello": [busy, busy, HELLO], JOB[0]: [busy]})

    free, job = recorded.results("1", "6")

    assert free["verdict"] == "same"
    assert (job["verdict"], job["reason"]) == ("failed", "busy: 429 Too Many Requests")
    assert sorted(recorded.api.asked) == [*[JOB[0]] * 3, *["hello"] * 3]


def test_an_upstream_that_is_not_there_or_never_answers_is_one_line_each(
    recorded: Recorded,
) -> None:
    never = threading.Event()
    recorded.now({"hello": [[Wait(never)]]})
    with Upstream(lambda request: []) as gone:
        origin = gone.origin

    unreachable = recorded.verify("1", "--upstream", origin)
    silent = recorded.verify("1", "--timeout", "0.2")
    never.set()

    assert (unreachable.returncode, silent.returncode) == (1, 1)
    assert "Connect" in unreachable.stdout
    assert "no whole answer within 0.2 s" in silent.stdout
    assert "Traceback" not in unreachable.stderr + silent.stderr


def test_ctrl_c_ends_it_and_shows_what_is_known(recorded: Recorded) -> None:
    never = threading.Event()
    recorded.now({"hello": [HELLO], MODELS[0]: [[Wait(never)]]})
    process = subprocess.Popen(
        [*COMMAND, "verify", "1", "4", "--jobs", "1"],
        cwd=recorded.folder,
        env={**environment(recorded.folder), **NO_KEYS},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    eventually(lambda: recorded.api.asked == ["hello", MODELS[0]])
    process.send_signal(signal.SIGINT)
    shown, said = process.communicate(timeout=PATIENCE_S)
    never.set()

    assert process.returncode == 1
    assert "verified 1 request: 1 same" in said
    assert "Traceback" not in said
    assert "same" in shown


def is_long(things: list[str], length: int) -> bool:
    return len(things) >= length


def test_only_so_many_requests_run_at_a_time(recorded: Recorded) -> None:
    go_on = {name: threading.Event() for name in LIVE}
    recorded.now({name: [[Wait(go_on[name]), *LIVE[name][0]]] for name in LIVE})

    with ThreadPoolExecutor() as pool:
        verifying = pool.submit(recorded.verify, "--jobs", "2")
        asked = recorded.api.asked
        for number in range(3):
            eventually(partial(is_long, asked, number + 2))
            assert len(asked) == number + 2
            go_on[asked[number]].set()
        for waiting in go_on.values():
            waiting.set()

    assert verifying.result().returncode == 0


def test_a_limit_takes_the_last_recorded_and_unsafe_takes_all(recorded: Recorded) -> None:
    limited = recorded.verify("--limit", "2")
    asked_last = sorted(recorded.api.asked)
    recorded.verify("--unsafe", "--limit", "1")

    assert asked_last == ["/v1/jobs/1", "/v1/models"]
    assert "left out: 2 exchanges over the limit" in limited.stderr
    assert recorded.api.asked[2:] == ["/v1/files/7"]
    assert recorded.upstream.requests[-1].method == "DELETE"


@pytest.mark.parametrize("env", [{}, {"OPENAI_API_KEY": KEY}], ids=["option", "environment"])
def test_no_secret_is_ever_printed(env: dict[str, str], recorded: Recorded) -> None:
    message = {"error": {"message": f"Incorrect API key: {KEY}"}}
    recorded.now({"hello": [plain(json.dumps(message).encode(), status="401 Unauthorized")]})
    given = () if env else ("--header", f"Authorization: Bearer {KEY}")
    env = {**env, "OPENAI_BASE_URL": f"{recorded.upstream.origin}/v1"}

    ended = [recorded.verify("1", *given, *more, env=env) for more in ((), ("--json",))]

    assert recorded.upstream.requests[0].headers["authorization"] == f"Bearer {KEY}"
    said = "".join(result.stdout + result.stderr for result in ended)
    assert "401 (Incorrect API key: ***)" in said
    assert KEY not in said
    files = b"".join(path.read_bytes() for path in recorded.folder.rglob("*") if path.is_file())
    assert KEY.encode() not in files


def test_a_key_of_the_environment_goes_nowhere_but_to_its_provider(recorded: Recorded) -> None:
    ended = recorded.verify("1", env={"OPENAI_API_KEY": KEY, "ANTHROPIC_API_KEY": KEY})

    assert "authorization" not in recorded.upstream.requests[0].headers
    assert "a key is missing" in ended.stderr


def test_it_goes_over_tls_and_through_the_proxy_that_the_environment_names(tmp_path: Path) -> None:
    authority, certificate = make_certificates(tmp_path / "tls")
    of_the_proxy = tmp_path / "proxy" / "home" / "mitmproxy-ca-cert.pem"
    of_the_proxy.parent.parent.mkdir()
    trusting = ("record", "--upstream-ca", str(authority))
    with (
        Upstream(lambda request: answer("a"), certificate) as upstream,
        serving(*trusting, cwd=tmp_path / "proxy") as proxy,
    ):
        with serving(*trusting, "--upstream", upstream.origin, cwd=tmp_path) as recorder:
            post(recorder.url + CHAT, ask("hello"))
        env = {"HTTPS_PROXY": proxy.url}
        trusted = run("verify", "--upstream-ca", str(of_the_proxy), cwd=tmp_path, env=env)
        distrusted = run("verify", cwd=tmp_path, env=env)

    assert trusted.returncode == 0, trusted.stdout
    assert len(upstream.requests) == 2
    assert distrusted.returncode == 1
    assert "name its authority: --upstream-ca FILE" in " ".join(distrusted.stdout.split())
