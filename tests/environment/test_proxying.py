"""Proxy variables, and the file of authorities that goes with them."""

import subprocess
from pathlib import Path

import certifi
import pytest

from replayproxy.environment import proxy_variables
from replayproxy.environment.bundle import bundle, holds
from replayproxy.environment.proxying import AUTHORITIES, NODE_PRELOAD

PEM = "-----BEGIN CERTIFICATE-----"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("authority")
    made = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=ours"
    subprocess.run(
        ["openssl", *made.split(), "-keyout", folder / "key.pem", "-out", folder / "ca.pem"],
        check=True,
        capture_output=True,
    )
    return folder / "ca.pem"


def test_every_client_finds_its_variable(tmp_path: Path) -> None:
    found = proxy_variables("http://127.0.0.1:1", authorities=tmp_path / "a.pem", inherited={})

    assert found["https_proxy"] == found["HTTPS_PROXY"] == "http://127.0.0.1:1"
    assert found["http_proxy"] == found["ALL_PROXY"] == "http://127.0.0.1:1"
    assert {found[name] for name in AUTHORITIES} == {str(tmp_path / "a.pem")}
    assert found["NO_PROXY"] == found["no_proxy"] == ""
    assert NODE_PRELOAD.is_file()


def test_options_for_node_that_are_there_stay_and_ours_are_added_once(tmp_path: Path) -> None:
    found: dict[str, str] = {"NODE_OPTIONS": "--max-old-space-size=99"}
    for _ in range(2):
        found = proxy_variables("http://h:1", authorities=tmp_path, inherited=found)

    assert found["NODE_OPTIONS"] == f"--max-old-space-size=99 --require {NODE_PRELOAD}"


def test_the_bundle_holds_the_public_authorities_and_ours(tmp_path: Path, authority: Path) -> None:
    made = bundle(authority, folder=tmp_path, inherited={})

    assert made == tmp_path / "ca-bundle.pem"
    assert made.stat().st_mode & 0o777 == 0o600
    assert made.read_text().count(PEM) > certifi.contents().count(PEM)
    assert holds(made, authority)
    assert not holds(Path(certifi.where()), authority)


def test_the_bundle_is_written_only_when_it_changes(tmp_path: Path, authority: Path) -> None:
    first = bundle(authority, folder=tmp_path, inherited={})
    written = first.stat()
    again = bundle(authority, folder=tmp_path, inherited={}).stat()
    ours = tmp_path / "other.pem"
    ours.write_text(certifi.contents().split("\n\n", 1)[0] + "\n")
    other = bundle(ours, folder=tmp_path, inherited={}).stat()

    assert (again.st_ino, again.st_mtime_ns) == (written.st_ino, written.st_mtime_ns)
    assert other.st_ino != written.st_ino
    assert not holds(first, authority)


def test_what_the_user_trusts_is_trusted_still_and_our_own_file_is_not_taken_for_it(
    tmp_path: Path, authority: Path
) -> None:
    company = tmp_path / "company.pem"
    company.write_text(authority.read_text())
    ours = tmp_path / "ours.pem"
    ours.write_text(certifi.contents().split("\n\n", 1)[0] + "\n")

    made = bundle(ours, folder=tmp_path, inherited={"SSL_CERT_FILE": str(company)})
    nested = bundle(ours, folder=tmp_path, inherited={"SSL_CERT_FILE": str(made)})

    assert made.name != "ca-bundle.pem"
    assert holds(made, company)
    assert nested.name == "ca-bundle.pem"
