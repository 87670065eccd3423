"""Fixtures that run genuine llama.cpp servers with the tiny model.

`llama_server` is fast and shared by the whole session: leave it running.
`slow_llama_server` is shared too and takes a few milliseconds per token, like a model that
has to think. `mortal_llama_server` belongs to one test, which may `kill()` it.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.llama.tiny_gguf import write_model

START_TIMEOUT_S = 60.0
SLOW_LAYERS = 12
"""Makes a token take about 3 ms on one core of a current machine."""

REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class LlamaServer:
    """A running server; its only model is called `tiny`."""

    origin: str
    """Like `http://127.0.0.1:40123`: what `--upstream` wants."""
    process: subprocess.Popen[str]

    @property
    def base_url(self) -> str:
        """What an OpenAI client wants as its `base_url`."""
        return f"{self.origin}/v1"

    def kill(self) -> None:
        """End the server at once, as a power cut would; streams break where they are."""
        self.process.kill()
        self.process.wait()


@contextmanager
def running_llama_server(model: Path) -> Iterator[LlamaServer]:
    """A server on a free port of 127.0.0.1, ready for requests; killed in the end."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.llama.server", os.fspath(model), "--until-stdin-closes"],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        # The server prints its URL when it is ready. If it never is, it is killed, which
        # ends the wait for the line.
        deadline = threading.Timer(START_TIMEOUT_S, process.kill)
        deadline.start()
        try:
            assert process.stdout is not None
            origin = process.stdout.readline().strip()
            deadline.cancel()
            if not origin:
                pytest.fail(f"the llama.cpp server did not start: exit code {process.wait()}")
            yield LlamaServer(origin=origin, process=process)
        finally:
            deadline.cancel()
            process.kill()


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model as a file (made in a fraction of a second)."""
    path = tmp_path_factory.mktemp("llama") / "tiny.gguf"
    write_model(path)
    return path


@pytest.fixture(scope="session")
def llama_server(tiny_model: Path) -> Iterator[LlamaServer]:
    """A fast server, shared by the session."""
    with running_llama_server(tiny_model) as server:
        yield server


@pytest.fixture(scope="session")
def slow_llama_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaServer]:
    """A server that takes a few milliseconds per token, shared by the session."""
    path = tmp_path_factory.mktemp("llama") / "slow.gguf"
    write_model(path, layers=SLOW_LAYERS)
    with running_llama_server(path) as server:
        yield server


@pytest.fixture
def mortal_llama_server(tiny_model: Path) -> Iterator[LlamaServer]:
    """A server of the test's own, which the test may kill."""
    with running_llama_server(tiny_model) as server:
        yield server
