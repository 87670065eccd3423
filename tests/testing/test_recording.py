"""Recording from pytest: a real recorder in front of an upstream that counts what reaches it."""

import json
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path

import pytest

from replayproxy.cassettes import read
from tests.builders import DONE, says
from tests.end_to_end.upstream import Received, Step, Upstream, plain, streamed
from tests.testing.test_plugin import ASK

pytestmark = pytest.mark.timeout(300)  # a recorder starts for each test of the projects

KEY = "sk-canary-0123456789abcdef0123456789abcdef"

TEST = """
import pytest
from ask import ask

@pytest.mark.replay
def test_it(replayproxy):
    ask("one", replayproxy.base_url)
    assert replayproxy.exchanges[0].text == "one, one"
"""


class Echo:
    """Says twice what it was asked, with an id of its own each time."""

    def __init__(self) -> None:
        self.numbers = count()
        self.said = "{0}, {0}"

    def __call__(self, asked: Received) -> Sequence[Step]:
        text = json.loads(asked.body)["messages"][0]["content"]
        if text == "show me my key":
            return plain(json.dumps(asked.headers).encode())
        number = f"chatcmpl-{next(self.numbers):09}"
        return streamed(
            [says(piece, id=number) for piece in self.said.format(text).split(" ")] + [DONE]
        )


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
def upstream(echo: Echo) -> Iterator[Upstream]:
    with Upstream(echo) as server:
        yield server


@pytest.fixture
def project(
    pytester: pytest.Pytester, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> pytest.Pytester:
    """A folder with `ask.py` and an ini file that names the upstream; there is a real key."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("REPLAYPROXY_HOME", str(pytester.path / "home"))
    ask = ASK.replace(
        'method="POST")',
        'method="POST", headers={"Authorization": "Bearer " + os.environ["OPENAI_API_KEY"]})',
    )
    pytester.makepyfile(ask=ask)
    pytester.makeini(
        f"[pytest]\naddopts = -p no:asyncio\nreplayproxy_upstream = {upstream.origin}/v1\n"
    )
    pytester.syspathinsert()
    return pytester


def run(project: pytest.Pytester, mode: str, *arguments: str) -> pytest.RunResult:
    return project.runpytest_subprocess(f"--replayproxy-mode={mode}", *arguments)


def asked(path: Path) -> list[str]:
    """What the requests of a cassette ask."""
    return [
        json.loads(track.exchange.request.body)["messages"][0]["content"]
        for track in read(path).cassette.tracks
    ]


def test_what_was_recorded_is_replayed_without_the_network(
    project: pytest.Pytester, upstream: Upstream
) -> None:
    project.makepyfile(test_chat=TEST.replace("one, one", "one,one"))
    path = project.path / "cassettes" / "test_chat" / "test_it.yaml"

    recorded = run(project, "record")
    text = path.read_text()
    upstream.stop()
    replayed = run(project, "replay")

    recorded.assert_outcomes(passed=1)
    recorded.stdout.fnmatch_lines(["replayproxy: 1 recorded into 1 cassettes"])
    replayed.assert_outcomes(passed=1)
    replayed.stdout.fnmatch_lines(["replayproxy: 1 replayed, 0 missed, 0 unplayed, *"])
    assert upstream.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert len(upstream.requests) == 1
    assert KEY not in text
    assert "fp:" not in text


def test_recording_again_changes_nothing_but_what_says_something_else(
    project: pytest.Pytester, upstream: Upstream, echo: Echo
) -> None:
    project.makepyfile(
        test_chat="""
        import pytest
        from ask import ask

        @pytest.mark.replay
        @pytest.mark.parametrize("word", ["one", "two"])
        def test_it(word):
            ask(word)
        """
    )
    folder = project.path / "cassettes" / "test_chat"

    assert run(project, "replay-or-record").ret == 0
    first = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert run(project, "replay-or-record").ret == 0
    hits = len(upstream.requests)
    assert run(project, "rerecord").ret == 0
    same = {path.name: path.read_bytes() for path in folder.iterdir()}
    echo.said = "{0}!"
    assert run(project, "record", "-k", "two").ret == 0
    changed = {path.name: path.read_bytes() for path in folder.iterdir()}

    assert hits == 2
    assert len(upstream.requests) == 5
    assert same == first
    assert changed["test_it[one].yaml"] == first["test_it[one].yaml"]
    assert changed["test_it[two].yaml"] != first["test_it[two].yaml"]


def test_a_test_that_fails_leaves_its_cassette_as_it_is(
    project: pytest.Pytester, echo: Echo
) -> None:
    project.makepyfile(test_chat=TEST.replace("one, one", "one,one"))
    path = project.path / "cassettes" / "test_chat" / "test_it.yaml"
    run(project, "record").assert_outcomes(passed=1)
    before = path.read_bytes()
    echo.said = "bad"

    failed = run(project, "rerecord")

    failed.assert_outcomes(failed=1)
    assert path.read_bytes() == before


@pytest.mark.parametrize(("mode", "left"), [("record", ["old", "a", "b"]), ("rerecord", "ab")])
def test_a_shared_cassette_loses_nothing_whatever_the_number_of_workers(
    project: pytest.Pytester, mode: str, left: Sequence[str]
) -> None:
    test = """
    import pytest
    from ask import ask

    @pytest.mark.replay("shared")
    @pytest.mark.parametrize("word", {words})
    def test_it(word):
        ask(word)
        ask("all")
    """
    path = project.path / "cassettes" / "shared.yaml"
    project.makepyfile(test_chat=test.format(words=["old"]))
    assert run(project, "record").ret == 0
    project.makepyfile(test_chat=test.format(words=["a", "b"]))

    recorded = run(project, mode, "-n", "2")

    assert recorded.ret == 0
    recorded.stdout.fnmatch_lines(["replayproxy: 4 recorded into 1 cassettes"])
    assert sorted(asked(path)) == sorted(["all", *left])
    replayed = run(project, "replay", "-n", "2")
    replayed.assert_outcomes(passed=2)


def test_a_body_with_the_key_is_never_written(project: pytest.Pytester) -> None:
    project.makepyfile(
        test_chat="""
        import pytest
        from ask import ask

        @pytest.mark.replay
        def test_it():
            ask("show me my key")
        """
    )

    recorded = run(project, "record")

    recorded.assert_outcomes(passed=1, errors=1)
    recorded.stdout.fnmatch_lines(["*exchange 1 has the very API key in its body. Nothing was*"])
    assert not (project.path / "cassettes").exists()
    assert KEY not in recorded.stdout.str()


def test_where_nothing_can_record_one_line_says_so(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.makepyfile(test_chat=TEST)
    project.makeconftest(
        """
        import importlib.util
        find = importlib.util.find_spec
        importlib.util.find_spec = lambda name: None if name == "mitmproxy" else find(name)
        """
    )
    monkeypatch.setenv("PATH", "/nowhere")

    recorded = run(project, "record")

    recorded.assert_outcomes(errors=1)
    recorded.stdout.fnmatch_lines(["*recording needs the 'proxy' extra*pipx install*"])


def test_an_upstream_of_each_name_is_recorded_and_a_proxy_where_it_is_asked_for(
    project: pytest.Pytester, upstream: Upstream
) -> None:
    project.makepyfile(
        test_chat=f"""
        import os, urllib.request
        import pytest
        from ask import ask

        HERE = "{upstream.origin}"

        @pytest.mark.replay(upstream={{"one": HERE + "/v1", "two": HERE + "/v2"}})
        def test_it(replayproxy):
            ask("a", os.environ["ONE_BASE_URL"])
            ask("b", os.environ["TWO_BASE_URL"])
            proxies = urllib.request.ProxyHandler({{"http": replayproxy.proxy_url}})
            urllib.request.install_opener(urllib.request.build_opener(proxies))
            del os.environ["NO_PROXY"], os.environ["no_proxy"]
            ask("c", ("http://llm.example" if replayproxy.mode == "replay" else HERE) + "/v1")
            paths = [exchange.request.path for exchange in replayproxy.exchanges]
            assert sorted(paths) == [f"/v{{n}}/chat/completions" for n in (1, 1, 2)]
        """
    )

    recorded = run(project, "record")
    upstream.stop()
    replayed = run(project, "replay")

    recorded.assert_outcomes(passed=1)
    replayed.assert_outcomes(passed=1)
    assert len(upstream.requests) == 3


def test_the_context_manager_records_and_takes_turns_too(project: pytest.Pytester) -> None:
    project.makepyfile(
        test_chat="""
        import pytest, replayproxy
        from ask import ask

        @pytest.mark.parametrize("word", ["a", "b"])
        def test_it(word, request):
            upstream = request.config.getini("replayproxy_upstream")
            with replayproxy.cassette("shared", upstream=upstream) as r:
                ask(word, r.base_url)
        """
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REPLAYPROXY_MODE", "record")
        recorded = project.runpytest_subprocess("-n", "2")

    recorded.assert_outcomes(passed=2)
    assert sorted(asked(project.path / "cassettes" / "shared.yaml")) == ["a", "b"]
    project.runpytest_subprocess().assert_outcomes(passed=2)
