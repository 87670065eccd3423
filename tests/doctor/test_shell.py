"""What the variables of a shell say, and that no key is told."""

import socket
from pathlib import Path

import certifi
import pytest

from replayproxy.doctor import Finding, Level
from replayproxy.doctor import shell as checks
from replayproxy.environment.proxying import NODE_PRELOAD


def bad(found: object) -> list[str]:
    assert isinstance(found, list)
    return [f.subject for f in found if isinstance(f, Finding) and f.level is Level.PROBLEM]


def test_proxies_that_differ_or_lead_nowhere_are_bad() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        there = f"http://127.0.0.1:{server.getsockname()[1]}"
        nowhere = f"http://127.0.0.1:{nobody.getsockname()[1]}"

        good = list(checks.proxies({"HTTPS_PROXY": there, "https_proxy": there}))
        differing = list(checks.proxies({"HTTPS_PROXY": there, "https_proxy": nowhere}))

    assert (bad(good), len(good)) == ([], 1)
    assert bad(differing) == ["HTTPS_PROXY", "proxy"]


@pytest.mark.parametrize("value", ["http://h:port", "http://[::1"])
def test_what_is_no_url_is_bad_and_no_traceback(value: str) -> None:
    assert bad(list(checks.proxies({"HTTPS_PROXY": value}))) == ["proxy"]
    assert list(checks.base_urls({"OPENAI_BASE_URL": "http://[::1"})) == []
    assert list(checks.preload({"NODE_OPTIONS": "'"})) == []


def test_exemptions_that_hide_llm_traffic_are_told() -> None:
    (found,) = checks.exemptions({"NO_PROXY": "localhost,.corp,api.openai.com"})

    assert found.text == "it keeps localhost, api.openai.com from any proxy, also from ours"
    assert list(checks.exemptions({"NO_PROXY": ".corp"})) == []


def test_files_of_authorities_must_be_there_and_know_us_where_we_are_the_proxy(
    tmp_path: Path,
) -> None:
    ours = tmp_path / "ours.pem"
    ours.write_text(certifi.contents().split("\n\n", 1)[0] + "\n")
    other = tmp_path / "other.pem"
    other.write_text("")
    to_us = {"HTTPS_PROXY": "http://127.0.0.1:8080"}

    def look(**environ: str) -> list[str]:
        return bad(list(checks.authorities(environ, ours)))

    assert look(SSL_CERT_FILE=str(tmp_path / "none")) == ["SSL_CERT_FILE"]
    assert look(SSL_CERT_FILE=str(other)) == []
    assert look(SSL_CERT_FILE=str(other), **to_us) == ["SSL_CERT_FILE"]
    assert look(SSL_CERT_FILE=str(ours), **to_us) == []


def test_a_preload_that_is_gone_keeps_node_from_starting(tmp_path: Path) -> None:
    gone = f"--max-old-space-size=9 --require {tmp_path}/gone.cjs"

    assert bad(list(checks.preload({"NODE_OPTIONS": gone}))) == ["NODE_OPTIONS"]
    assert list(checks.preload({"NODE_OPTIONS": f"--require {NODE_PRELOAD}"})) == []


def test_keys_are_named_and_never_told() -> None:
    secret = "sk-ant-api03-" + "x" * 80
    environ = {"MY_THING": secret, "GROQ_API_KEY": "g", "OPENAI_API_KEY": "sk-replayproxy"}

    (found,) = checks.keys(environ)

    assert found.text == "set: GROQ_API_KEY, MY_THING"


def test_base_urls_are_told_without_what_is_secret_in_them() -> None:
    (found,) = checks.base_urls({"OPENAI_BASE_URL": "https://me:pw@gw.example/v1?key=s"})

    assert found.text == "its clients ask https://gw.example/v1"
