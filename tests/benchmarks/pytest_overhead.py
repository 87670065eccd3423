"""What the pytest plugin adds to a run of tests.

A hundred tests ask a question each and read an answer of a hundred events, by urllib: from
a bare server of the test run that writes the same bytes, and from a cassette of each
test's own. Then a hundred tests that ask nothing, with and without the plugin loaded.
Each is a pytest process; the pairs are run in turns, and medians are compared.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

from replayproxy.cassettes import Cassette, write
from tests.benchmarks.effort import Effort
from tests.benchmarks.figures import Figure, Report, Target
from tests.benchmarks.measuring import median
from tests.builders import DONE, asking, says
from tests.cassettes.test_text import a_track
from tests.testing.test_plugin import ASK

TESTS = 100
EVENTS = [says(f"word{number} ") for number in range(99)] + [DONE]

_BARE = """
import socketserver, threading
import pytest
from ask import ask

EVENTS = {events!r}

class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        length = 0
        while (line := self.rfile.readline()) not in (b"\\r\\n", b""):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        self.rfile.read(length)
        self.wfile.write(b"HTTP/1.1 200 OK\\r\\nContent-Type: text/event-stream\\r\\n\\r\\n")
        for event in EVENTS:
            self.wfile.write(event)

@pytest.fixture(scope="session")
def url():
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{{server.server_address[1]}}/v1"
        server.shutdown()

@pytest.mark.parametrize("number", range({tests}))
def test_it(url, number):
    assert len(ask(f"question {{number}}", url)) == {size}
"""

_REPLAYED = """
import pytest
from ask import ask

@pytest.mark.replay
@pytest.mark.parametrize("number", range({tests}))
def test_it(replayproxy, number):
    assert len(ask(f"question {{number}}", replayproxy.base_url)) == {size}
"""

_IDLE = """
import pytest

@pytest.mark.parametrize("number", range({tests}))
def test_it(number):
    pass
"""


def written(folder: Path) -> None:
    """The three projects, and the cassettes of one."""
    facts = {"tests": TESTS, "size": sum(map(len, EVENTS)), "events": EVENTS}
    for name, source in (("bare", _BARE), ("replayed", _REPLAYED), ("idle", _IDLE)):
        (folder / f"test_{name}.py").write_text(source.format(**facts))
    (folder / "ask.py").write_text(ASK)
    for number in range(TESTS):
        track = a_track(*EVENTS, request=asking(f"question {number}"))
        path = folder / "cassettes" / "test_replayed" / f"test_it[{number}].yaml"
        write(path, Cassette(tracks=(track,)))


def seconds(folder: Path, name: str, *arguments: str) -> float:
    """How long a run says it took, of which Python's own start is no part."""
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"test_{name}.py"]
        + ["-p", "replayproxy.pytest_plugin"] * (not arguments)
        + list(arguments),
        cwd=folder,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.search(rf"{TESTS} passed in ([0-9.]+)s", ran.stdout)
    assert found, ran.stdout
    return float(found[1])


def measure(effort: Effort, folder: Path) -> Report:
    """What a hundred tests take more, with cassettes and without a use of them."""
    taken: dict[str, list[float]] = {"bare": [], "replayed": [], "idle": [], "without": []}
    written(folder)
    for _ in range(effort.rounds(5)):
        for kind in ("bare", "replayed", "idle"):
            taken[kind].append(seconds(folder, kind))
        taken["without"].append(seconds(folder, "idle", "-p", "no:replayproxy"))
    bare, replayed, idle, without = (median(taken[kind]) for kind in taken)
    return Report(
        figures=(
            Figure(
                what=f"pytest: {TESTS} tests answered from cassettes, s more",
                ours=replayed - bare,
                note=f"{replayed:.2f} s; by a bare server {bare:.2f} s",
                target=Target(limit=1.0, absolute=True),
            ),
            Figure(
                what="pytest: a run that does not use the plugin, ms more",
                ours=max(0.0, idle - without) * 1000,
                note=f"{idle:.2f} s; without the plugin {without:.2f} s",
                target=Target(limit=20, absolute=True),
            ),
        )
    )
