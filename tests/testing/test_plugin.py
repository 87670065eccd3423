"""The pytest plugin, by real pytest runs on recorded cassettes, with real clients."""

import json
import os
from pathlib import Path

import pytest

from replayproxy.cassettes import Cassette, Track, read, write
from tests.builders import DONE, asking, says
from tests.cassettes.test_text import a_track

USAGE = b'data: {"usage":{"prompt_tokens":3,"completion_tokens":4}}\n\n'

ASK = """
import json, os, urllib.error, urllib.request

def ask(text, base_url=None, model="gpt-4o"):
    body = {"model": model, "messages": [{"role": "user", "content": text}]}
    url = (base_url or os.environ["OPENAI_BASE_URL"]) + "/chat/completions"
    request = urllib.request.Request(url, json.dumps(body).encode(), method="POST")
    try:
        with urllib.request.urlopen(request) as response:
            return response.read()
    except urllib.error.HTTPError as error:
        error.close()
        raise
"""


def an_answer(asked: str, *said: str, cost: str | None = None) -> Track:
    given = {} if cost is None else {"cost_usd": __import__("decimal").Decimal(cost)}
    return a_track(*map(says, said or ("Hi",)), USAGE, DONE, request=asking(asked), **given)


def a_cassette(path: Path, *tracks: Track) -> Path:
    write(path, Cassette(tracks=tracks))
    return path


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A folder with `ask.py`, and no settings of the user's."""
    for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    pytester.makepyfile(ask=ASK)
    pytester.syspathinsert()
    return pytester


def run(project: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return project.runpytest_inprocess("-W", "default", *(arguments or ("-p", "no:asyncio")))


def cassette_of(project: pytest.Pytester, name: str, *tracks: Track) -> Path:
    return a_cassette(project.path / "cassettes" / f"{name}.yaml", *tracks)


def test_a_test_is_answered_from_its_cassette(project: pytest.Pytester) -> None:
    cassette_of(project, "test_chat/test_it", an_answer("one", "He", "llo", cost="0.25"))
    project.makepyfile(
        test_chat="""
        import os
        from datetime import timedelta
        from decimal import Decimal
        import pytest
        from ask import ask

        @pytest.mark.replay
        def test_it(replayproxy):
            assert replayproxy.mode == "replay"
            assert os.environ["OPENAI_BASE_URL"] == replayproxy.base_url
            assert os.environ["OPENAI_API_KEY"] == replayproxy.api_key == "sk-replayproxy"
            assert replayproxy.env["OPENAI_BASE_URL"] == replayproxy.base_url
            assert b"llo" in ask("one", replayproxy.base_url)
            (exchange,) = replayproxy.exchanges
            assert exchange.text == "Hello"
            assert exchange.request.json["messages"][0]["content"] == "one"
            assert exchange.usage.input_tokens == 3
            assert exchange.status == 200
            assert exchange.tool_calls == []
            assert [c.offset_ns for c in exchange.chunks] == [1500000, 3000000, 4500000, 6000000]
            assert exchange.time_to_first_chunk == timedelta(milliseconds=1.5)
            assert replayproxy.cost == Decimal("0.25")
            assert replayproxy.unplayed == []

        def test_nothing_of_it_is_left():
            assert "OPENAI_BASE_URL" not in os.environ
        """
    )

    result = run(project)

    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["replayproxy: 1 replayed, 0 missed, 0 unplayed, $0.25 avoided"])


def test_the_marker_alone_is_enough_and_parameters_have_cassettes_of_their_own(
    project: pytest.Pytester,
) -> None:
    for word in ("a", "b-c"):
        cassette_of(project, f"test_chat/TestIt.test_it[{word}]", an_answer(word))
    project.makepyfile(
        test_chat="""
        import pytest
        from ask import ask

        class TestIt:
            @pytest.mark.replay
            @pytest.mark.parametrize("word", ["a", "b/c"], ids=["a", "b/c"])
            def test_it(self, word):
                ask(word.replace("/", "-"))
        """
    )

    run(project).assert_outcomes(passed=2)


def test_a_miss_fails_the_test_and_says_where_it_differs_once(project: pytest.Pytester) -> None:
    cassette_of(project, "test_chat/test_it", an_answer("one"), an_answer("two"))
    project.makepyfile(
        test_chat="""
        import pytest
        from ask import ask

        @pytest.mark.replay
        def test_it():
            ask("ones")
        """
    )

    result = run(project)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*HTTPError: HTTP Error 404: Not Found",
            "*- replayproxy -*",
            "cassettes/test_chat/test_it.yaml",
            "not recorded: POST /v1/chat/completions (gpt-4o); exchange 1 is the closest, but for",
            "  $.messages[[]0].content",
            '    asked:    "ones"',
            '    recorded: "one"',
            "record it: pytest --replayproxy-mode=record test_chat.py::test_it",
            "replayproxy: 0 replayed, 1 missed, 2 unplayed, $0 avoided",
        ]
    )
    assert result.stdout.str().count("is the closest") == 1


def test_a_miss_that_the_code_swallows_fails_the_test_all_the_same(
    project: pytest.Pytester,
) -> None:
    project.makepyfile(
        test_chat="""
        import pytest
        from ask import ask

        @pytest.mark.replay
        def test_it():
            for _ in range(3):
                try:
                    ask("one")
                except OSError:
                    pass
        """
    )

    result = run(project)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "replayproxy: cassettes/test_chat/test_it.yaml (there is no such file)",
            "not recorded: POST /v1/chat/completions (gpt-4o): nothing was (3 times)",
        ]
    )


def test_the_same_request_is_answered_as_often_as_it_was_recorded(
    project: pytest.Pytester,
) -> None:
    cassette_of(project, "test_chat/test_it", an_answer("one", "1"), an_answer("one", "2"))
    project.makepyfile(
        test_chat="""
        import pytest
        from ask import ask

        @pytest.mark.replay
        def test_it():
            assert b'"1"' in ask("one")
            assert b'"2"' in ask("one")
            ask("one")
        """
    )

    result = run(project)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["not recorded: *: all its recordings were played before"])


@pytest.mark.parametrize(
    ("rule", "outcome", "line"),
    [
        (
            "warn",
            {"passed": 1, "warnings": 1},
            "*UnplayedWarning: cassettes/test_chat/test_it.yaml*",
        ),
        (
            "fail",
            {"failed": 1},
            "replayproxy: cassettes/test_chat/test_it.yaml: recorded, and not*",
        ),
        ("ignore", {"passed": 1}, "test_chat.py . *"),
    ],
)
def test_what_was_recorded_and_not_asked_for_is_told(
    project: pytest.Pytester, rule: str, outcome: dict[str, int], line: str
) -> None:
    cassette_of(project, "test_chat/test_it", an_answer("one"), an_answer("two", "Two!"))
    project.makeini(f"[pytest]\nreplayproxy_unplayed = {rule}\n")
    project.makepyfile(
        test_chat="""
        import pytest
        from ask import ask

        @pytest.mark.replay
        def test_it():
            ask("one")
        """
    )

    result = run(project)

    result.assert_outcomes(**outcome)
    result.stdout.fnmatch_lines([line, "replayproxy: 1 replayed, 0 missed, 1 unplayed, *"])
    if rule != "ignore":
        result.stdout.fnmatch_lines(
            ["*<exchange 2: POST /v1/chat/completions gpt-4o: 200 'Two!'>*"]
        )


def test_a_live_call_is_refused_and_told(project: pytest.Pytester) -> None:
    project.makepyfile(
        test_chat="""
        import pytest
        from ask import ask

        @pytest.mark.replay(upstream="http://127.0.0.1:9/v1")
        @pytest.mark.parametrize("url", ["https://api.anthropic.com", "http://127.0.0.1:9/v1"])
        def test_it(url):
            ask("one", url)
        """
    )

    result = run(project)

    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        ["refused: a live call to api.anthropic.com", "refused: a live call to 127.0.0.1"]
    )


def test_what_a_marker_says_goes_before_the_ini_file(project: pytest.Pytester) -> None:
    a_cassette(project.path / "tapes" / "shared.yaml", an_answer("one"))
    a_cassette(project.path / "tapes" / "test_chat" / "test_mine.yaml", an_answer("two"))
    project.makeini(
        """
        [pytest]
        replayproxy_cassette_dir = tapes
        replayproxy_ignore = $.model
        replayproxy_upstream =
            https://openrouter.ai/api/v1
            anthropic=https://api.anthropic.com
        """
    )
    project.makepyfile(
        test_chat="""
        import os
        import pytest
        from ask import ask

        URL = "https://api.openai.com/v1"

        @pytest.mark.replay("shared", upstream=URL)
        def test_a():
            ask("one", model="o3")

        @pytest.mark.replay(name="shared", upstream=[URL])
        def test_b():
            ask("one", model="o4")

        @pytest.mark.replay(upstream={"openai": URL}, ignore=["$.messages[*].content"])
        def test_mine():
            ask("whatever")

        def test_several(replayproxy):
            assert replayproxy.base_url.endswith("/api/v1")
            assert os.environ["ANTHROPIC_BASE_URL"] == replayproxy.base_urls["anthropic"]
            assert os.environ["ANTHROPIC_API_KEY"] == "sk-replayproxy"
        """
    )

    result = run(project)

    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(["replayproxy: 3 replayed, 0 missed, 0 unplayed, *"])


def test_wider_scopes_share_a_cassette_and_each_test_answers_for_its_own_misses(
    project: pytest.Pytester,
) -> None:
    cassette_of(project, "test_chat", an_answer("one"), an_answer("two"))
    cassette_of(project, "test_chat/TestIt", an_answer("three"))
    cassette_of(project, "session", an_answer("four"))
    project.makepyfile(
        test_chat="""
        import pytest
        from ask import ask

        @pytest.fixture(scope="module")
        def answer(replayproxy_module):
            return ask("one", replayproxy_module.base_url)

        def test_a(answer, replayproxy_module):
            ask("two", replayproxy_module.base_url)

        def test_b(answer, replayproxy_module):
            ask("missing", replayproxy_module.base_url)

        def test_c(answer, replayproxy_module):
            assert len(replayproxy_module.exchanges) == 2

        class TestIt:
            def test_d(self, replayproxy_class):
                ask("three", replayproxy_class.base_url)

        def test_e(replayproxy_session):
            ask("four", replayproxy_session.base_url)
        """
    )

    result = run(project)

    result.assert_outcomes(passed=4, failed=1)
    result.stdout.fnmatch_lines(["replayproxy: 4 replayed, 1 missed, 0 unplayed, *"])
    assert not {"OPENAI_BASE_URL", "NO_PROXY"} & os.environ.keys()


def test_async_tests_threads_and_children_are_answered_too(project: pytest.Pytester) -> None:
    for name in ("test_asyncio", "test_anyio", "test_threads", "test_child"):
        cassette_of(project, f"test_chat/{name}", *(an_answer(f"q{n}") for n in range(4)))
    project.makepyfile(
        test_chat="""
        import asyncio, subprocess, sys
        from concurrent.futures import ThreadPoolExecutor
        import httpx, pytest
        from ask import ask

        pytestmark = pytest.mark.replay

        @pytest.fixture
        def anyio_backend():
            return "asyncio"

        async def ask_all(base_url):
            async with httpx.AsyncClient(base_url=base_url) as client:
                answers = await asyncio.gather(*(
                    client.post("/chat/completions", json={
                        "model": "gpt-4o", "messages": [{"role": "user", "content": f"q{n}"}]})
                    for n in range(4)))
            assert {answer.status_code for answer in answers} == {200}

        @pytest.mark.asyncio
        async def test_asyncio(replayproxy):
            await ask_all(replayproxy.base_url)
            assert len(replayproxy.exchanges) == 4

        @pytest.mark.anyio
        async def test_anyio(replayproxy):
            await ask_all(replayproxy.base_url)

        def test_threads(replayproxy):
            with ThreadPoolExecutor(4) as pool:
                assert len(list(pool.map(ask, [f"q{n}" for n in range(4)]))) == 4

        def test_child():
            code = "from ask import ask; [ask(f'q{n}') for n in range(4)]"
            subprocess.run([sys.executable, "-c", code], check=True)
        """
    )

    result = run(project, "-o", "asyncio_default_fixture_loop_scope=function")

    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(["replayproxy: 16 replayed, 0 missed, 0 unplayed, *"])


def test_workers_of_xdist_add_up(project: pytest.Pytester) -> None:
    cassette_of(project, "shared", *(an_answer(f"q{n}", cost="0.10") for n in range(8)))
    project.makepyfile(
        test_chat="""
        import pytest
        from ask import ask

        @pytest.mark.replay("shared")
        @pytest.mark.parametrize("number", range(7))
        def test_it(number):
            ask(f"q{number}")

        @pytest.mark.replay("shared")
        def test_miss():
            ask("q9")
        """
    )

    result = project.runpytest_subprocess("-n", "3")

    result.assert_outcomes(passed=7, failed=1)
    result.stdout.fnmatch_lines(["replayproxy: 7 replayed, 1 missed, 1 unplayed, $0.70 avoided"])


@pytest.mark.parametrize(
    ("marker", "complaint"),
    [
        ("replay(sped='x')", "does not know sped"),
        ("replay('a', 'b')", "more than one name"),
        ("replay(speed='x')", "--speed 'x' is not a speed"),
        ("replay(upstream='x')", "is not a URL"),
        ("replay(mode='live')", "'live' is no mode"),
        ("replay(ignore='$[')", "--ignore"),
        ("replay('broken')", "it is no cassette"),
        ("replay('edited')", "it was edited"),
    ],
)
def test_what_makes_no_sense_is_one_line(
    project: pytest.Pytester, marker: str, complaint: str
) -> None:
    folder = project.path / "cassettes"
    folder.mkdir()
    (folder / "broken.yaml").write_text("a: 1")
    path = cassette_of(project, "edited", an_answer("one"))
    path.write_text(path.read_text().replace("content: one", "content: eins"))
    project.makepyfile(
        test_chat=f"import pytest\n@pytest.mark.{marker}\ndef test_it(replayproxy): pass\n"
    )

    result = run(project)

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"*{complaint}*"])
    assert "Traceback" not in result.stdout.str()


@pytest.mark.parametrize("arguments", [(), ("-n", "1")])
def test_a_run_without_cassettes_says_nothing_and_imports_nothing(
    project: pytest.Pytester, arguments: tuple[str, ...]
) -> None:
    project.makepyfile(
        test_plain="""
        import sys

        def test_it():
            ours = {name for name in sys.modules if name.startswith("replayproxy")}
            assert ours - {"replayproxy.run_folder"} == {"replayproxy", "replayproxy.pytest_plugin"}
        """
    )

    result = project.runpytest_subprocess("-p", "no:asyncio", *arguments)

    result.assert_outcomes(passed=1)
    assert "replayproxy:" not in result.stdout.str()


def test_a_replay_needs_no_extra_and_no_database(project: pytest.Pytester) -> None:
    cassette_of(project, "test_chat/test_it", an_answer("one"))
    project.makepyfile(
        test_chat="""
        import sys
        import pytest
        from ask import ask

        @pytest.mark.replay
        def test_it():
            ask("one")
            extras = {"mitmproxy", "datasette", "opentelemetry", "sqlite_utils", "genai_prices"}
            assert not extras & sys.modules.keys()
        """
    )

    project.runpytest_subprocess("-p", "no:asyncio").assert_outcomes(passed=1)


def test_reprs_and_plain_data_can_be_compared_and_pasted(project: pytest.Pytester) -> None:
    call = {"index": 0, "id": "c1", "function": {"name": "add", "arguments": '{"a": 1}'}}
    event = {"choices": [{"delta": {"tool_calls": [call]}, "finish_reason": "tool_calls"}]}
    track = a_track(f"data: {json.dumps(event)}\n\n".encode(), DONE, request=asking("one"))
    cassette_of(project, "test_chat/test_it", track)
    project.makepyfile(
        test_chat="""
        import pytest
        from ask import ask
        from replayproxy.model import ToolCall, Usage

        @pytest.mark.replay
        def test_it(replayproxy):
            ask("one")
            (exchange,) = replayproxy.exchanges
            assert eval(repr(exchange.tool_calls)) == exchange.tool_calls
            assert eval(repr(exchange.usage)) == exchange.usage
            assert repr(exchange).startswith("<exchange 1: POST /v1/chat/completions gpt-4o: 200")
            assert exchange.to_dict() == {
                "method": "POST",
                "path": "/v1/chat/completions",
                "asked": {"model": "gpt-4o", "messages": [{"role": "user", "content": "one"}]},
                "status": 200,
                "model": "gpt-4o",
                "tool_calls": [{"name": "add", "arguments": {"a": 1}}],
                "finish_reason": "tool_calls",
            }
        """
    )

    run(project).assert_outcomes(passed=1)


def test_the_context_manager_serves_unittest_and_scripts(project: pytest.Pytester) -> None:
    path = cassette_of(project, "chat", an_answer("one"))
    project.makepyfile(
        script="""
        import unittest
        import replayproxy
        from ask import ask

        class TestIt(unittest.TestCase):
            def test_hit(self):
                with replayproxy.cassette("chat") as r:
                    ask("one", r.base_url)
                    self.assertEqual(r.exchanges[0].text, "Hi")

            def test_miss(self):
                with replayproxy.cassette("chat"):
                    ask("ones")

            def test_swallowed(self):
                with replayproxy.cassette("cassettes/chat.yaml"):
                    try:
                        ask("ones")
                    except OSError:
                        pass

        unittest.main()
        """
    )

    result = project.runpython(project.path / "script.py")

    assert read(path).sealed
    result.stderr.fnmatch_lines(
        [
            "ERROR: test_miss *",
            "urllib.error.HTTPError: HTTP Error 404: Not Found",
            "replayproxy:",
            '    recorded: "one"',
            "record it: REPLAYPROXY_MODE=record *script.py",
            "ERROR: test_swallowed *",
            "replayproxy.errors.ReplayMiss: not everything was recorded:",
            "FAILED (errors=2)",
        ]
    )


def test_a_client_that_knows_a_proxy_only_is_answered_for_an_https_host(
    project: pytest.Pytester, tmp_path: Path
) -> None:
    a_cassette(project.path / "cassettes/test_chat/test_it.yaml", an_answer("hi"))
    project.makepyfile(
        test_chat=f"""
        import os, ssl, urllib.request
        import pytest

        os.environ["REPLAYPROXY_HOME"] = {str(tmp_path / "home")!r}

        @pytest.mark.replay
        def test_it(replayproxy):
            proxies = urllib.request.ProxyHandler({{"https": replayproxy.proxy_url}})
            trusting = urllib.request.HTTPSHandler(
                context=ssl.create_default_context(cafile=replayproxy.ca_file)
            )
            opened = urllib.request.build_opener(proxies, trusting)
            body = b'{{"model": "gpt-4o", "messages": [{{"role": "user", "content": "hi"}}]}}'
            with opened.open("https://api.openai.com/v1/chat/completions", body) as answer:
                assert b"Hi" in answer.read()
            assert len(replayproxy.exchanges) == 1
        """
    )

    run(project).assert_outcomes(passed=1)
