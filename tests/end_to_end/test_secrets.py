"""A canary in every place a secret can stand, looked for in every file and every output."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import pytest
from click.testing import CliRunner

from replayproxy.cli import main
from tests.end_to_end.commands import listed, serving
from tests.end_to_end.upstream import Close, Received, Script, Send, Upstream, plain, streamed
from tests.end_to_end.wire import post

CANARY = "CANARY-9f8e7d6c"
PATH = "/v1/chat/completions"
ASK = {"model": "gpt-x", "stream": True, "messages": [{"role": "user", "content": "hi"}]}
HEADERS = dict.fromkeys(
    """
    Authorization X-Api-Key Api-Key Cookie Proxy-Authorization OpenAI-Organization
    OpenAI-Project X-Goog-Api-Key X-Auth-Token X-Something-Unknown X-Amz-Security-Token Referer
    """.split(),
    f"Bearer {CANARY}",
)
QUERY = f"alt=sse&key={CANARY}&api_key={CANARY}&X-Amz-Signature={CANARY}&sig={CANARY}"
MORE = (
    f"Set-Cookie: session={CANARY}\r\nX-Internal-Token: {CANARY}\r\n"
    f"Location: https://me:{CANARY}@host/next?token={CANARY}\r\n"
)
ANSWERS: dict[str, Script] = {
    "whole": plain(b"{}", more=MORE),
    "redirect": plain(b"", status="307 Temporary Redirect", more=MORE),
    "denied": plain(b'{"error":{"message":"no"}}', status="401 Unauthorized", more=MORE),
    "stream": streamed([b"data: [DONE]\n\n"]),
    "closed": [Close()],
    "garbage": [Send(b"nonsense\r\n\r\n"), Close()],
}
EXCHANGES = len(ANSWERS) + 1
COMMANDS = (
    ("list",),
    ("list", "--json"),
    ("list", "--misses"),
    ("list", "--misses", "--json"),
    *(("show", str(number)) for number in (1, 4, EXCHANGES)),
    *(("show", str(number), "--json") for number in range(1, EXCHANGES + 1)),
    ("show", "1", "--chunks"),
    *(("show", "1", "--body", part) for part in ("request", "response")),
    ("verify", "--dry-run"),
    ("verify", "--dry-run", "--json"),
    ("prune", "--keep", "1", "--dry-run", "--json"),
)
PAGES = (
    "/-/replayproxy",
    "/-/replayproxy/exchange/1",
    *(
        f"/replayproxy/{table}{kind}"
        for table in ("exchanges", "requests", "responses", "replays", "misses")
        for kind in ("", ".json", ".csv")
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What a recording, a replay and a dashboard have left behind."""

    folder: Path
    upstream: Upstream
    said: dict[str, str]
    during: bytes


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Left]:
    folder = tmp_path_factory.mktemp("secrets")

    def script(request: Received) -> Script:
        return ANSWERS[request.headers["x-request-id"]]

    with Upstream(lambda request: []) as gone:
        nowhere = gone.origin
    with Upstream(script) as upstream:
        with serving("record", "--upstream", upstream.origin, cwd=folder) as recorder:
            for name in ANSWERS:
                url = f"{recorder.url}{PATH}?{QUERY}"
                post(url, ASK, headers={**HEADERS, "X-Request-Id": name})
            during = b"".join(path.read_bytes() for path in folder.glob("replayproxy.db*"))
        with serving("record", "--upstream", nowhere, cwd=folder) as refused:
            post(f"{refused.url}{PATH}?{QUERY}", ASK, headers=HEADERS)
        with serving("replay", "--match-on", "header:authorization", cwd=folder) as player:
            for path in (PATH, "/v1/other"):
                for body in (ASK, {**ASK, "user": "nobody"}):
                    post(f"{player.url}{path}?{QUERY}", body, headers=HEADERS)
            post(f"{player.url}{PATH}?{QUERY}", ASK, headers={"Authorization": CANARY + "2"})
        with serving("dashboard", cwd=folder) as dashboard:
            pages = {page: urlopen(dashboard.url + page).read().decode() for page in PAGES}
        said = {
            "record": recorder.words,
            "record, refused": refused.words,
            "replay": player.words,
            "dashboard": dashboard.words,
            **pages,
        }
        yield Left(folder=folder, upstream=upstream, said=said, during=during)


def test_the_upstream_gets_all_of_it(left: Left) -> None:
    received = left.upstream.requests[0]

    assert received.target.endswith(QUERY)
    assert all(received.headers[name.lower()] == f"Bearer {CANARY}" for name in HEADERS)


def test_it_is_in_no_file(left: Left) -> None:
    files = [path for path in left.folder.rglob("*") if path.is_file()]

    assert CANARY.encode() not in left.during
    assert {"replayproxy.db"} <= {path.name for path in files}
    assert [path for path in files if CANARY.encode() in path.read_bytes()] == []
    assert len(listed(left.folder)) == EXCHANGES


def test_it_is_in_no_word_and_on_no_page(left: Left) -> None:
    assert [where for where, text in left.said.items() if CANARY in text] == []
    assert "miss: " in left.said["replay"]
    assert "fp:" in left.said["/replayproxy/requests.json"]


def test_no_command_shows_it(left: Left) -> None:
    db = ("--db", str(left.folder / "replayproxy.db"))
    ended = {command: CliRunner().invoke(main, [*command, *db]) for command in COMMANDS}

    assert [command for command, result in ended.items() if CANARY in result.output] == []
    assert {result.exit_code for result in ended.values()} == {0}
    assert "alt=sse&key=fp%3A" in ended["show", "1"].output
