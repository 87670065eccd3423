"""The example project: recorded against a genuine llama.cpp server, then offline."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.llama.fixture import running_llama_server

pytestmark = pytest.mark.timeout(600)  # a recorder starts for each of its tests

EXAMPLE = Path(__file__).parents[1] / "example"
REPEATS = int(os.environ.get("REPLAYPROXY_EXAMPLE_REPEATS", "2"))
TESTS = 9


def copied(folder: Path, *, cassettes: bool) -> Path:
    """The example, somewhere else."""
    ignored = shutil.ignore_patterns("__pycache__", *(() if cassettes else ("cassettes",)))
    return Path(shutil.copytree(EXAMPLE, folder / "example", ignore=ignored))


def run(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Its tests, without a key and without settings of ours."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("OPENAI", "PYTEST", "REPLAYPROXY", "COV_"))
    }
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
        cwd=project,
        env={**environment, "REPLAYPROXY_HOME": str(project / "home")},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def recorded(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example, recorded just now by four workers, with the server dead."""
    project = copied(tmp_path_factory.mktemp("recorded"), cassettes=False)
    with running_llama_server(tiny_model) as server:
        upstream = f"replayproxy_upstream={server.base_url}"
        ran = run(project, "--replayproxy-mode=record", "-n", "4", "-o", upstream)
    assert ran.returncode == 0, ran.stdout
    assert re.search(rf"replayproxy: \d\d recorded into {TESTS} cassettes", ran.stdout)
    return project


def test_what_was_recorded_passes_offline_again_and_again(recorded: Path) -> None:
    for _ in range(REPEATS):
        ran = run(recorded, "-n", "4")

        assert ran.returncode == 0, ran.stdout
        assert f"{TESTS} passed" in ran.stdout
        assert re.search(r"replayproxy: \d\d replayed, 0 missed, 0 unplayed", ran.stdout)


def test_the_cassettes_of_the_repository_are_in_order_and_pass() -> None:
    ran = run(EXAMPLE, "-p", "no:xdist")
    checked = subprocess.run(
        [sys.executable, "-m", "replayproxy", "cassette", "check", EXAMPLE],
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stdout
    assert (checked.returncode, checked.stdout) == (0, "")


@pytest.mark.parametrize(
    ("changed", "failing", "path"),
    [
        (
            'HELPFUL = "You are a helpful',
            {"streamed", "conversation", "agent", "program"},
            "messages",
        ),
        ('BRIEF = "Answer in one', {"too_long", "at_once[2]", "at_once[8]", "asyncio"}, "messages"),
        ('"description": "The weather in', {"agent"}, "tools"),
    ],
)
def test_another_prompt_fails_the_tests_that_use_it_and_says_where(
    tmp_path: Path, changed: str, failing: set[str], path: str
) -> None:
    project = copied(tmp_path, cassettes=True)
    app = project / "chat_app.py"
    assert changed in app.read_text()
    app.write_text(app.read_text().replace(changed, f"{changed} other"))

    ran = run(project, "-p", "no:xdist")

    failed = set(re.findall(r"^FAILED test_chat_app.py::(\S+)", ran.stdout, re.MULTILINE))
    assert len(failed) == len(failing)
    assert all(any(word in name for name in failed) for word in failing)
    sections = ran.stdout.split(" replayproxy -")[1:]
    assert len(sections) >= len(failing) - 1
    assert all(f"\n  $.{path}[0]." in section for section in sections)
    assert all("other" in section for section in sections)


def test_the_readme_shows_what_a_failed_test_says(tmp_path: Path) -> None:
    readme = (EXAMPLE.parents[1] / "README.md").read_text()
    (shown,) = re.findall(r"^```text\n(cassettes/.*?)^```", readme, re.DOTALL | re.MULTILINE)
    project = copied(tmp_path, cassettes=True)
    tests = project / "test_chat_app.py"
    tests.write_text(tests.read_text().replace("What is a list?", "What is a tree?"))

    ran = run(project, "-p", "no:xdist", "-k", "streamed")

    assert shown in ran.stdout
