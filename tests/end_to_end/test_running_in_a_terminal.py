"""Signals and the terminal: a program that runs under us has both as if we were not there."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.commands import COMMAND, PATIENCE_S, environment

TRAPS = """
import signal, subprocess, sys
count = 0
def note(number, frame):
    global count
    count += 1
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, note)
waits = "import time; print('child', flush=True); time.sleep(99)"
child = subprocess.Popen([sys.executable, "-c", waits])
print("ready", flush=True)
ended = child.wait()
print(count, ended, flush=True)
raise SystemExit(5)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_reaches_the_command_and_its_children_once(
    number: signal.Signals, tmp_path: Path
) -> None:
    with started(["record", "--", sys.executable, "-c", TRAPS], tmp_path) as process:
        assert process.stdout is not None
        assert {process.stdout.readline(), process.stdout.readline()} == {"ready\n", "child\n"}
        process.send_signal(number)
        out, _ = process.communicate(timeout=PATIENCE_S)

    assert out.splitlines()[-1] == f"1 -{number.value}"
    assert process.returncode == 5


STUBBORN = """
import signal
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
print("ready", flush=True)
while True:
    signal.pause()
"""


def test_a_second_signal_ends_even_a_stubborn_command(tmp_path: Path) -> None:
    with started(["record", "--", sys.executable, "-c", STUBBORN], tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE_S)

    assert process.returncode == 137


IN_A_TERMINAL = """
import os, pty, sys
raise SystemExit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))
"""
ASKS_TWICE = """
import signal, sys
signal.signal(signal.SIGINT, lambda number, frame: print("interrupted", flush=True))
print("terminal", sys.stdin.isatty(), flush=True)
print("heard", input(), flush=True)
"""


@contextmanager
def started(arguments: list[str], cwd: Path) -> Iterator[subprocess.Popen[str]]:
    with (
        subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=cwd,
            env=environment(cwd),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as process,
        killed_in_time(process),
    ):
        yield process


def in_a_terminal(
    command: Sequence[str],
    to_type: Sequence[tuple[bytes, bytes]],
    *,
    cwd: Path,
    env: Mapping[str, str] | None = None,
) -> tuple[int, bytes]:
    """Type each text once what it waits for is there; the exit code, and all that was shown."""
    with (
        subprocess.Popen(
            [sys.executable, "-c", IN_A_TERMINAL, *command],
            cwd=cwd,
            env={**environment(cwd), **(env or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as process,
        killed_in_time(process),
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        said, looked_at, left = b"", 0, list(to_type)
        while piece := os.read(process.stdout.fileno(), 4096):
            said += piece
            if left and (at := said.find(left[0][0], looked_at)) >= 0:
                looked_at = at + len(left[0][0])
                process.stdin.write(left.pop(0)[1])
                process.stdin.flush()
        assert left == [], said
        return process.wait(), said


@contextmanager
def killed_in_time(process: subprocess.Popen[Any]) -> Iterator[None]:
    watchdog = threading.Timer(PATIENCE_S, process.kill)
    watchdog.start()
    yield
    watchdog.cancel()


def test_a_command_has_the_terminal_and_gets_ctrl_c_once(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(ASKS_TWICE)

    code, said = in_a_terminal(
        [*COMMAND, "record", "--", sys.executable, "app.py"],
        [(b"terminal True", b"\x03"), (b"interrupted", b"a line\n")],
        cwd=tmp_path,
    )

    assert said.count(b"interrupted") == 1
    assert b"heard a line" in said
    assert code == 0


def test_ctrl_z_stops_a_command_and_fg_lets_it_go_on(tmp_path: Path) -> None:
    """A shell with jobs: both of us stop, and both go on."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    app = "sh -c 'echo rea\"\"dy; read line; echo got $line'"

    code, _ = in_a_terminal(
        ["bash", "--noprofile", "--norc", "--noediting", "-i"],
        [
            (b"prompt> ", f"replayproxy record -- {app}\n".encode()),
            (b"ready", b"\x1a"),
            (b"Stopped", b"fg\n"),
            (b"echo got", b"a line\n"),
            (b"got a line", b"exit 0\n"),
        ],
        cwd=tmp_path,
        env={"PATH": path, "PS1": "prompt> "},
    )

    assert code == 0


def test_a_job_in_the_background_that_reads_goes_on_once_it_has_the_terminal(
    tmp_path: Path,
) -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    app = "sh -c 'read line; echo got $line'"

    code, _ = in_a_terminal(
        ["bash", "--noprofile", "--norc", "--noediting", "-i"],
        [
            (b"prompt> ", f"set -b; replayproxy record -- {app} &\n".encode()),
            (b"Stopped", b"fg\n"),
            (b"echo got", b"a line\n"),
            (b"got a line", b"exit 0\n"),
        ],
        cwd=tmp_path,
        env={"PATH": path, "PS1": "prompt> "},
    )

    assert code == 0
