"""The servers that are measured: ours, bare mitmdump, and the upstream of both."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.end_to_end import reference
from tests.end_to_end.commands import Child, mitmdump
from tests.end_to_end.upstream import Send

# "Bare" is the price of the proxy that we are built on: it streams, and keeps nothing.
_BARE = """
from mitmproxy import ctx

def running():
    host, port = ctx.master.addons.get("proxyserver").listen_addrs()[0][:2]
    print(f"listening at {host}:{port}", flush=True)

def responseheaders(flow):
    if STREAMS and flow.response:
        flow.response.stream = lambda data: data
"""
QUIET = ("--quiet", "--set=flow_detail=0")


@contextmanager
def upstream() -> Iterator[str]:
    """The origin of an upstream (see upstream.py) for a `with` block."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.upstream"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().split()[-1]
        # the end of its standard input, which the `with` closes, ends it


@contextmanager
def bare_mitmdump(*arguments: str, cwd: Path, streams: bool = True) -> Iterator[Child]:
    """Stock mitmdump that says little and keeps nothing, for a `with` block."""
    script = cwd / f"bare_{streams}.py"
    script.write_text(f"STREAMS = {streams}\n{_BARE}")
    # our addons' settings are unknown where they are not loaded
    with mitmdump("", *QUIET, *arguments, cwd=cwd, script=script, settings=()) as child:
        yield child


@dataclass(slots=True)
class ReferenceUpstream:
    """Plays the reference stream, on time: its threads sleep, which is far more exact
    than an event loop's timers of a millisecond.

    Attributes:
        asked: how many requests came.
    """

    origin: str
    asked: int = 0

    def serve(self, server: socket.socket) -> None:
        """Answer until the socket is closed."""
        with suppress(OSError):
            while True:
                connection, _ = server.accept()
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with connection, suppress(ConnectionError):
            while self._was_asked(connection):
                self.asked += 1
                due_s = time.monotonic()
                for step in reference.script():
                    assert isinstance(step, Send)
                    due_s += step.after_s
                    time.sleep(max(0.0, due_s - time.monotonic()))
                    connection.sendall(step.data)

    def _was_asked(self, connection: socket.socket) -> bool:
        received = b""
        while not received.endswith(b"}"):
            if not (more := connection.recv(65536)):
                return False
            received += more
        return True


@contextmanager
def reference_upstream() -> Iterator[ReferenceUpstream]:
    """An upstream for a `with` block."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        upstream = ReferenceUpstream(f"http://127.0.0.1:{server.getsockname()[1]}")
        threading.Thread(target=upstream.serve, args=(server,), daemon=True).start()
        yield upstream
        server.shutdown(socket.SHUT_RDWR)
