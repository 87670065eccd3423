"""Our own commands as child processes, as a user would start them."""

import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from replayproxy.errors import ReplayproxyError

_LISTENING = "listening on "
PATIENCE_S = 20.0
THIS = (sys.executable, "-m", "replayproxy")
"""The command of this very environment."""


@contextmanager
def serving(*arguments: str, cwd: Path, program: Sequence[str] = THIS) -> Iterator[str]:
    """Run `replayproxy ARGUMENTS --listen 127.0.0.1:0` for a `with` block; gives its URL.

    Raises:
        ReplayproxyError: it did not start, or did not end well.
    """
    command = [*program, *arguments, "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, cwd=cwd, stderr=subprocess.PIPE, text=True) as child:
        # a child that says nothing is ended, so that reading its words ends as well
        watchdog = threading.Timer(PATIENCE_S, child.kill)
        watchdog.start()
        words: list[str] = []
        assert child.stderr is not None
        try:
            for line in child.stderr:
                words.append(line)
                if _LISTENING in line:
                    break
            else:
                raise ReplayproxyError(f"replayproxy {arguments[0]} did not start: {_last(words)}")
            watchdog.cancel()
            yield line.partition(_LISTENING)[2].strip()
        finally:
            watchdog.cancel()
            child.terminate()
            words += child.stderr.readlines()
            code = child.wait()
    if code:
        raise ReplayproxyError(f"replayproxy {arguments[0]} ended with {code}: {_last(words)}")


def _last(words: list[str]) -> str:
    return words[-1].strip() if words else "(it said nothing)"
