"""`replayproxy dashboard`, the real command, over real HTTP."""

import base64
import http.client
import json
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.builders import eventually
from tests.dashboards.sample import Said, stream, varied, write
from tests.dashboards.site import HOME
from tests.end_to_end.commands import COMMAND, Child, run, serving


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


def test_an_address_that_others_can_reach_needs_a_password(tmp_path: Path) -> None:
    write(tmp_path / "replayproxy.db", *varied())
    (tmp_path / "secret").write_text("correct horse battery\n")
    (tmp_path / "secret").chmod(0o600)
    anywhere = ("--listen", "0.0.0.0:0", "--password-file", "secret", "--allow-host", "box.lan")
    child = Child(
        [*COMMAND, "dashboard", *anywhere], cwd=tmp_path, announces="listening on http://0.0.0.0"
    )
    port = child.url.rpartition(":")[2]

    def status(password: str | None, host: str = "127.0.0.1") -> int:
        connection = http.client.HTTPConnection("127.0.0.1", int(port))
        headers = {"Host": host}
        if password is not None:
            said = base64.b64encode(f"me:{password}".encode()).decode()
            headers["Authorization"] = f"Basic {said}"
        connection.request("GET", f"{HOME}/exchange/1", headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        assert (b"Lisbon" in body) is (answer.status == 200)
        return answer.status

    try:
        assert status(None) == status("wrong horse battery") == 401
        assert status("correct horse battery") == 200
        assert status("correct horse battery", host="box.lan:8001") == 200
        assert status("correct horse battery", host="evil.example") == 421
    finally:
        child.stop()
    assert "horse" not in child.words


def test_the_password_comes_from_the_environment_too(tmp_path: Path) -> None:
    write(tmp_path / "replayproxy.db", *varied())
    short = run("dashboard", cwd=tmp_path, env={"REPLAYPROXY_DASHBOARD_PASSWORD": "short"})

    assert short.returncode == 2
    assert "too short" in short.stderr
    missing = run("dashboard", "--password-file", "none", cwd=tmp_path)
    assert missing.returncode == 2
    assert "--password-file none cannot be read: No such file or directory" in missing.stderr


def test_an_exposed_dashboard_without_a_password_shows_figures_only(tmp_path: Path) -> None:
    write(tmp_path / "replayproxy.db", *varied())
    child = Child(
        [*COMMAND, "dashboard", "--listen", "0.0.0.0:0", "--expose"],
        cwd=tmp_path,
        announces="listening on http://0.0.0.0",
    )
    try:
        url = f"http://127.0.0.1:{child.url.rpartition(':')[2]}"
        with urlopen(f"{url}{HOME}/exchange/1") as response:
            page = response.read()
    finally:
        child.stop()

    assert b"time to first token" in page
    assert b"Lisbon" not in page


def test_it_keeps_the_search_index_up_to_date(child: Child, tmp_path: Path) -> None:
    def found(word: str) -> int:
        with urlopen(f"{child.url}{HOME}/search.json?q={word}") as response:
            return len(json.load(response)["rows"])

    eventually(lambda: found("lisbon") == 1)
    write(tmp_path / "replayproxy.db", Said(chunks=stream(["quokka"])))
    eventually(lambda: found("quokka") == 1)


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
