"""`replayproxy dashboard`, the real command, over real HTTP."""

import http.client
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.dashboards.sample import varied, write
from tests.dashboards.site import HOME
from tests.end_to_end.commands import Child, run, serving


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Child]:
    write(tmp_path / "replayproxy.db", *varied())
    with serving("dashboard", cwd=tmp_path) as child:
        yield child


def test_it_serves_its_pages_at_the_url_it_says(child: Child) -> None:
    assert child.url.startswith("http://127.0.0.1:")
    for page in ("/", f"{HOME}/exchange/1", "/replayproxy/exchanges.json"):
        with urlopen(child.url + page) as response:
            assert response.status == 200
    with urlopen(child.url) as response:
        assert b"Cost and latency" in response.read()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order_with_connections_still_open(
    child: Child, number: signal.Signals
) -> None:
    address = child.url.removeprefix("http://")
    idle, half = http.client.HTTPConnection(address), http.client.HTTPConnection(address)
    idle.request("GET", "/replayproxy/exchanges.json")
    assert idle.getresponse().read()
    half.connect()
    half.send(b"GET / HTTP/1.1\r\n")

    began = time.monotonic()
    code = child.stop(number)

    assert code == 0
    assert time.monotonic() - began < 2
    assert "Traceback" not in child.words
    idle.close()
    half.close()


def test_a_port_in_use_is_one_clear_line(tmp_path: Path) -> None:
    write(tmp_path / "replayproxy.db")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        ended = run("dashboard", "--listen", f"127.0.0.1:{port}", cwd=tmp_path)

    assert ended.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_an_address_that_others_can_reach_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "replayproxy.db")

    ended = run("dashboard", "--listen", "0.0.0.0:0", cwd=tmp_path)

    assert ended.returncode == 2
    assert "without a password" in ended.stderr


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    ended = run("dashboard", cwd=tmp_path)

    assert ended.returncode == 3
    assert "it does not exist" in ended.stderr
    assert "Record something first" in ended.stderr
    assert list(tmp_path.glob("*.db*")) == []


def test_what_it_prints_tells_nothing_of_what_was_recorded(child: Child) -> None:
    for page in ("/nothing", "/replayproxy/nothing.json", f"{HOME}/exchange/99", "/%1b%5b31m"):
        with pytest.raises(OSError, match="HTTP Error 404"):
            urlopen(child.url + page)

    child.stop()

    assert child.words.count("\n") == 1
    assert "\x1b" not in child.words
