"""The real commands, as child processes."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from replayproxy.shipped import addons_path

PATIENCE_S = 30.0
COMMAND = (sys.executable, "-m", "replayproxy")


class Child:
    """A command that serves.

    Attributes:
        url: where it listens.
        words: what it has said, complete once it has ended.
        code: its exit code, once it has ended.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        cwd: Path,
        announces: str,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.process = subprocess.Popen(
            arguments,
            cwd=cwd,
            env={**environment(cwd), **(env or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.words = ""
        self.code: int | None = None
        self.url = ""
        watchdog = threading.Timer(PATIENCE_S, self.process.kill)
        watchdog.start()
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.words += line
            if announces in line:
                address = line.partition(announces)[2].split()[0].rstrip(".")
                self.url = f"http://{address.removeprefix('http://')}"
                break
        watchdog.cancel()
        if not self.url:
            self.code = self.process.wait()
            self.process.stdout.close()
            raise AssertionError(f"{arguments} did not start ({self.code}): {self.words}")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, wait for the end; returns the exit code."""
        if self.code is None:
            self.process.send_signal(number)
            rest, _ = self.process.communicate(timeout=PATIENCE_S)
            self.words += rest
            self.code = self.process.returncode
        return self.code


def environment(home: Path) -> dict[str, str]:
    """Ours, without what would change the outcome; the CA lives in the test's folder."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.lower().endswith("_proxy") and not name.startswith("REPLAYPROXY")
    }
    return {**kept, "REPLAYPROXY_HOME": str(home / "home"), "PYTHONUNBUFFERED": "1"}


@contextmanager
def serving(*arguments: str, cwd: Path, env: Mapping[str, str] | None = None) -> Iterator[Child]:
    """`replayproxy ARGUMENTS` on a free port, for a `with` block."""
    command = [*COMMAND, *arguments, "--listen", "127.0.0.1:0"]
    child = Child(command, cwd=cwd, announces="listening on ", env=env)
    try:
        yield child
    finally:
        child.stop()


@contextmanager
def mitmdump(
    addon: str,
    *arguments: str,
    cwd: Path,
    script: Path | None = None,
    settings: Sequence[str] = ("replayproxy_db=replayproxy.db",),
    program: str = "mitmdump",
) -> Iterator[Child]:
    """Stock mitmdump (or another program of mitmproxy), with an addon of ours (or a script)."""
    command = [
        os.fspath(Path(sys.executable).parent / program),
        f"--scripts={script or addons_path(addon + '.py')}",
        "--listen-host=127.0.0.1",
        "--listen-port=0",
        f"--set=confdir={cwd / 'home'}",
        *(f"--set={setting}" for setting in settings),
        *arguments,
    ]
    child = Child(command, cwd=cwd, announces="listening at ")
    try:
        yield child
    finally:
        child.stop()


def run(
    *arguments: str, cwd: Path, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """`replayproxy ARGUMENTS` to its end; `env` is added to its environment."""
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=cwd,
        env={**environment(cwd), **(env or {})},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S * 2,
        check=False,
    )


def listed(cwd: Path) -> list[dict[str, Any]]:
    """`replayproxy list --json`, parsed."""
    return [json.loads(line) for line in run("list", "--json", cwd=cwd).stdout.splitlines()]


def shown(exchange_id: int, cwd: Path) -> dict[str, Any]:
    """`replayproxy show ID --json`, parsed."""
    result: dict[str, Any] = json.loads(run("show", str(exchange_id), "--json", cwd=cwd).stdout)
    return result


def body_of(exchange_id: int, cwd: Path, which: str = "response") -> bytes:
    """`replayproxy show ID --body ...`."""
    return subprocess.run(
        [*COMMAND, "show", str(exchange_id), "--body", which],
        cwd=cwd,
        env=environment(cwd),
        capture_output=True,
        timeout=PATIENCE_S,
        check=True,
    ).stdout
