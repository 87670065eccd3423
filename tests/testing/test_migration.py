"""The way from pytest-recording, as TESTING.md has it, on what VCR.py really wrote."""

import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
import vcr

from tests.builders import DONE, says
from tests.end_to_end.commands import environment
from tests.end_to_end.upstream import Upstream, streamed
from tests.testing.test_plugin import ASK

GUIDE = (Path(__file__).parents[2] / "TESTING.md").read_text()


def test_cassettes_of_pytest_recording_go_on_under_their_names(pytester: pytest.Pytester) -> None:
    tests = pytester.mkdir("tests")
    path = tests / "cassettes" / "test_chat" / "test_it.yaml"
    body = b'{"model": "gpt-4o", "messages": [{"role": "user", "content": "one"}]}'
    with (
        Upstream(lambda asked: streamed([says("He"), says("llo"), DONE])) as upstream,
        vcr.use_cassette(str(path)),
    ):
        urllib.request.urlopen(upstream.origin + "/v1/chat/completions", body).read()
    (commands,) = (
        block for block in re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL) if "moved.db" in block
    )
    (tests / "ask.py").write_text(ASK)
    (tests / "test_chat.py").write_text(
        "import pytest\nfrom ask import ask\n\n"
        "@pytest.mark.replay\ndef test_it(replayproxy):\n"
        "    ask('one')\n    assert replayproxy.exchanges[0].text == 'Hello'\n"
    )

    here = os.fspath(Path(sys.executable).parent)
    moved = subprocess.run(
        ["sh", "-e", "-c", commands],
        cwd=pytester.path,
        env={**environment(pytester.path), "PATH": f"{here}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    replayed = pytester.runpytest_subprocess("-p", "no:asyncio")

    assert moved.returncode == 0, moved.stderr
    assert "does not say: no timing" in moved.stderr
    replayed.assert_outcomes(passed=1)
    assert [file.name for file in pytester.path.iterdir() if file.suffix == ".db"] == []
