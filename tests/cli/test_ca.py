"""`replayproxy ca`: the certificate in many forms, the key in none."""

import json
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from replayproxy.cli import main
from replayproxy.trust import stores


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REPLAYPROXY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("REPLAYPROXY_CA_FOLDER", "")  # an option sets it: put back at the end
    return tmp_path / "home"


def ca(*arguments: str) -> Result:
    result = CliRunner().invoke(main, ["ca", *arguments])
    assert result.exit_code == 0, result.output
    return result


def test_it_is_made_on_first_use_for_its_owner_only(home: Path) -> None:
    path = Path(ca("path").stdout.strip())

    assert path == home / "mitmproxy-ca-cert.pem"
    assert path.read_text().startswith("-----BEGIN CERTIFICATE-----")
    assert home.stat().st_mode & 0o777 == 0o700
    assert (home / "mitmproxy-ca.pem").stat().st_mode & 0o777 == 0o600


def test_it_shows_what_openssl_shows(home: Path) -> None:
    facts = json.loads(ca("show", "--json").stdout)
    told = subprocess.run(
        ["openssl", "x509", "-in", facts["certificate"], "-noout", "-fingerprint", "-sha256"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert told.strip().endswith(facts["sha256"])
    assert f"sha256: {facts['sha256']}" in ca("show").stdout


@pytest.mark.parametrize("form", ["pem", "der", "p12"])
def test_an_export_holds_the_certificate_and_no_key(form: str, home: Path, tmp_path: Path) -> None:
    ca("export", "--format", form, "--output", str(tmp_path / "out"))
    reads = {
        "pem": ["x509", "-noout"],
        "der": ["x509", "-inform", "der", "-noout"],
        "p12": ["pkcs12", "-nodes", "-passin", "pass:changeit"],
    }
    read = subprocess.run(
        ["openssl", *reads[form], "-in", tmp_path / "out"], capture_output=True, check=True
    )

    assert b"PRIVATE" not in read.stdout + (tmp_path / "out").read_bytes()
    assert form != "p12" or b"BEGIN CERTIFICATE" in read.stdout


def test_an_export_goes_to_standard_output(home: Path) -> None:
    assert ca("export").stdout_bytes == Path(ca("path").stdout.strip()).read_bytes()


def test_an_authority_that_is_there_can_be_used(home: Path, tmp_path: Path) -> None:
    first = json.loads(ca("show", "--json", "--ca-folder", str(tmp_path / "mitmproxy")).stdout)
    again = json.loads(ca("show", "--json", "--ca-folder", str(tmp_path / "mitmproxy")).stdout)

    assert first == again
    assert first["certificate"] == str(tmp_path / "mitmproxy" / "mitmproxy-ca-cert.pem")


def test_how_to_trust_it_is_told_and_how_to_undo_it(home: Path) -> None:
    told = ca("trust")

    assert f"-file {home}/mitmproxy-ca-cert.pem" in told.stdout
    assert told.stdout.count("# undo: ") >= 3
    assert "undo it when you are done" in told.stderr


@pytest.mark.parametrize(
    ("platform", "linux", "trust", "undo"),
    [
        ("linux", "ubuntu debian", "update-ca-certificates", "rm /usr/local/share/ca-cert"),
        ("linux", "rocky rhel centos fedora", "update-ca-trust", "rm /etc/pki/ca-trust/source"),
        ("linux", "", "update-ca-certificates", "rm /usr/local/share/ca-certificates"),
        ("darwin", "", "add-trusted-cert", "delete-certificate -t -Z AB12"),
        ("win32", "", "-addstore Root", "-delstore Root AB12"),
    ],
)
def test_every_system_has_its_commands(platform: str, linux: str, trust: str, undo: str) -> None:
    system, *_ = stores(Path("/a b/ca.pem"), platform=platform, linux=linux, sha1="AB12")

    assert any(trust in line for line in system.trust)
    assert any(undo in line for line in system.undo)
    assert any("'/a b/ca.pem'" in line or '"/a b/ca.pem"' in line for line in system.trust)
