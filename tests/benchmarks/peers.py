"""What else records and replays: installed when asked for, each in an environment of its own."""

import json
import os
import socket
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.effort import Effort
from tests.benchmarks.servers import QUIET

ROOT = Path(__file__).parents[2]
_ENVIRONMENTS = ROOT / "build" / "benchmarks"
_PATIENCE_S = 60.0
_INSTALL_S = 300.0


class UnavailableError(Exception):
    """It cannot be had here; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A package of PyPI or npm.

    Attributes:
        more: what else its environment needs.
    """

    name: str
    npm: bool = False
    more: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """Its environment."""
        return _ENVIRONMENTS / self.name.rpartition("/")[2]

    def program(self, name: str) -> str:
        """The path of a program that it brings."""
        where = self.folder / "node_modules" / ".bin" if self.npm else self.folder / "bin"
        return str(where / name)

    def install(self, effort: Effort) -> str:
        """Make its environment, if it is not there; returns the version.

        Raises:
            UnavailableError: it can't be installed, or shall not be.
        """
        if effort.quick:
            raise UnavailableError("left out by --quick")
        done = self.folder / "installed"
        if not done.exists():
            try:
                self._install()
            except (OSError, subprocess.SubprocessError) as error:
                words = getattr(error, "stderr", None) or str(error)
                reason = words.strip().splitlines()[-1][:120]
                raise UnavailableError(f"cannot be installed: {reason}") from error
            done.touch()
        return self._version()

    def _install(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.npm:
            command = ["npm", "install", "--silent", "--no-audit", "--no-fund"]
            command += ["--prefix", str(self.folder), self.name, *self.more]
        else:
            venv.create(self.folder, with_pip=True, clear=True)
            command = [self.program("python"), "-m", "pip", "install", "--quiet"]
            command += ["--disable-pip-version-check", self.name, *self.more]
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=_INSTALL_S)

    def _version(self) -> str:
        if self.npm:
            package = self.folder / "node_modules" / self.name / "package.json"
            return str(json.loads(package.read_text())["version"])
        name = self.name.replace("-", "_")
        (info,) = self.folder.glob(f"lib/python*/site-packages/{name}-*.dist-info")
        return info.name.removesuffix(".dist-info").rpartition("-")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A peer that is a server: how it is started to record, and to replay.

    Both get a free port, a folder that they have in common, and the upstream's origin.
    """

    name: str
    package: Package | None
    record: Callable[[int, Path, str], Sequence[str]]
    replay: Callable[[int, Path, str], Sequence[str]]


AIMOCK = Package(name="@copilotkit/aimock", npm=True)
REEL = Package(name="reel-vcr")
TIMEFORK = Package(name="timefork")
VCRPY = Package(name="vcrpy")
LITELLM = Package(name="litellm", more=("litellm[proxy]",))

_MITMDUMP = str(Path(sys.executable).with_name("mitmdump"))


def _mitmdump(port: int, folder: Path, origin: str) -> list[str]:
    return [
        _MITMDUMP,
        *QUIET,
        f"--set=confdir={folder / 'home'}",
        "--listen-host=127.0.0.1",
        f"--listen-port={port}",
        f"--mode={f'reverse:{origin}' if origin else 'regular'}",
    ]


def _llmock(port: int, folder: Path) -> list[str]:
    fixtures = folder / "fixtures"
    fixtures.mkdir(exist_ok=True)
    return [
        *(AIMOCK.program("llmock"), "--port", str(port), "--log-level", "silent"),
        *("--fixtures", str(fixtures)),
    ]


MITMDUMP_S = Server(
    name="mitmdump -S",
    package=None,
    record=lambda port, folder, origin: [
        *_mitmdump(port, folder, origin),
        f"--save-stream-file={folder / 'flows'}",
    ],
    replay=lambda port, folder, origin: [
        *_mitmdump(port, folder, origin),
        f"--server-replay={folder / 'flows'}",
        "--set=server_replay_reuse=true",
        "--set=server_replay_extra=kill",
        # through interception it must not look for an upstream first
        "--set=connection_strategy=lazy",
    ],
)
AIMOCK_SERVER = Server(
    name="aimock",
    package=AIMOCK,
    record=lambda port, folder, origin: [
        *_llmock(port, folder),
        *("--record", "--provider-openai", origin),
    ],
    replay=lambda port, folder, origin: [*_llmock(port, folder), "--strict"],
)
REEL_SERVER = Server(
    name="reel-vcr",
    package=REEL,
    record=lambda port, folder, origin: [
        *(REEL.program("reel"), "record", "--cassette", str(folder / "reel.jsonl")),
        *("--port", str(port), "--upstream", origin),
    ],
    replay=lambda port, folder, origin: [
        *(REEL.program("reel"), "replay", "--cassette", str(folder / "reel.jsonl")),
        *("--port", str(port), "--upstream", origin),
    ],
)


@dataclass(frozen=True, slots=True)
class Running:
    """A peer that listens."""

    url: str
    pid: int


@contextmanager
def running(
    command: Callable[[int], Sequence[str]], folder: Path, **more: str
) -> Iterator[Running]:
    """A peer's server on a free port, for a `with` block; `more` is for its environment.

    Raises:
        UnavailableError: it does not start.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    log = folder / "peer.log"
    with log.open("w") as words:
        process = subprocess.Popen(
            command(port), cwd=folder, env=environment(**more), stdout=words, stderr=words
        )
    try:
        _wait_for(port, process, log)
        yield Running(f"http://127.0.0.1:{port}", process.pid)
    finally:
        process.terminate()
        try:
            process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def environment(**more: str) -> dict[str, str]:
    """Ours, without proxies, and more."""
    kept = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    return {**kept, **more}


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    process.kill()
    words = log.read_text(errors="replace").strip().splitlines() or ["it says nothing"]
    raise UnavailableError(f"does not start: {words[-1][:120]}")
