"""The port and the certificate authority."""

import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from replayproxy.certificates import Authority
from replayproxy.doctor import Level
from replayproxy.doctor.setup import authority, port

NOW = datetime.now(UTC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "home"
    made.mkdir(mode=0o700)
    Authority(made)
    return made


def test_a_port_is_free_or_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        number = server.getsockname()[1]
        (taken,) = port("127.0.0.1", number)
    (free,) = port("127.0.0.1", number)

    assert (taken.level, free.level) == (Level.NOTE, Level.OK)


def test_an_authority_that_is_not_there_yet_is_not_made(tmp_path: Path) -> None:
    (found,) = authority(tmp_path, now=NOW)

    assert found.level is Level.OK
    assert list(tmp_path.iterdir()) == []


def test_a_good_authority_is_good(folder: Path) -> None:
    (found,) = authority(folder, now=NOW)

    assert (found.level, found.text[:12]) == (Level.OK, "valid until ")


def test_a_key_that_others_can_read_is_bad(folder: Path) -> None:
    (folder / "mitmproxy-ca.pem").chmod(0o640)

    found = [f.todo for f in authority(folder, now=NOW) if f.level is Level.PROBLEM]

    assert found == [f"chmod 600 {folder / 'mitmproxy-ca.pem'}"]


@pytest.mark.parametrize(
    ("now", "subject"),
    [(NOW + timedelta(days=36_500), "certificate authority"), (NOW - timedelta(days=99), "clock")],
)
def test_one_that_is_not_valid_now_is_bad(now: datetime, subject: str, folder: Path) -> None:
    (found,) = authority(folder, now=now)

    assert (found.level, found.subject) == (Level.PROBLEM, subject)


def test_one_that_is_damaged_is_bad(folder: Path) -> None:
    (folder / "mitmproxy-ca.pem").write_text("x")

    (found,) = authority(folder, now=NOW)

    assert found.level is Level.PROBLEM
