"""Shells complete our commands: bash itself is asked."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from replayproxy.cli import main

ASK = """
source <(replayproxy completion bash)
COMP_WORDS=({words}) COMP_CWORD={number}
_replayproxy_completion replayproxy
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def completed(*words: str) -> list[str]:
    spelled = " ".join(f"'{word}'" for word in ("replayproxy", *words))
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-c", ASK.format(words=spelled, number=len(words))],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()


def test_bash_completes_commands_and_options() -> None:
    assert completed("rep") == ["replay", "reprice"]
    assert completed("replay", "--pass") == ["--passthrough"]
    assert completed("replay", "--on-miss", "f") == ["forward"]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_have_their_script(shell: str) -> None:
    script = CliRunner().invoke(main, ["completion", shell]).stdout

    assert f"_REPLAYPROXY_COMPLETE={shell}_complete" in script
