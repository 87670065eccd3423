"""TLS as bytes in, bytes out, with a real client on the other side."""

import ssl
from pathlib import Path

import pytest

from replayproxy.certificates import Authority
from replayproxy.errors import UsageError
from replayproxy.serving.tls import FIRST_BYTE, Tls


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[Authority, Path]:
    folder = tmp_path_factory.mktemp("authority")
    return Authority(folder), folder


class Client:
    """The other side, in memory."""

    def __init__(self, cafile: Path, host: str, *, alpn: list[str] | None = None) -> None:
        context = ssl.create_default_context(cafile=cafile)
        context.set_alpn_protocols(alpn or ["h2", "http/1.1"])
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._in, self._out, server_hostname=host)

    def receive(self, data: bytes) -> bytes:
        """Take these, answer with those."""
        self._in.write(data)
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
        return self._out.read()

    def seal(self, data: bytes) -> bytes:
        self.tls.write(data)
        return self._out.read()

    def read(self, data: bytes) -> bytes:
        self._in.write(data)
        found = b""
        try:
            while piece := self.tls.read(65536):
                found += piece
        except ssl.SSLWantReadError:
            pass
        return found


def connected(server: Tls, client: Client) -> None:
    to_server = client.receive(b"")
    assert to_server[0] == FIRST_BYTE
    while to_server:
        assert server.receive(to_server) == b""
        to_server = client.receive(server.to_send())


@pytest.mark.parametrize("host", ["api.openai.com", "127.0.0.1", "::1", "a" * 60 + ".example.com"])
def test_a_client_that_trusts_the_authority_talks_to_any_host(
    host: str, authority: tuple[Authority, Path]
) -> None:
    server = Tls(authority[0].context(host))
    client = Client(authority[1] / "mitmproxy-ca-cert.pem", host)
    connected(server, client)

    sealed = client.seal(b"hello")
    heard = b"".join(server.receive(sealed[i : i + 1]) for i in range(len(sealed)))
    answer = b"x" * 100_000

    assert heard == b"hello"
    assert client.read(server.seal(answer)) == answer
    assert client.tls.selected_alpn_protocol() == "http/1.1"
    assert client.read(server.farewell()) == b""


def test_the_name_that_the_client_says_counts(authority: tuple[Authority, Path]) -> None:
    server = Tls(authority[0].context("10.0.0.1"))
    client = Client(authority[1] / "mitmproxy-ca-cert.pem", "api.openai.com")

    connected(server, client)

    assert client.tls.version()


def test_a_client_that_does_not_trust_it_is_an_error(
    authority: tuple[Authority, Path], tmp_path: Path
) -> None:
    Authority(tmp_path)  # another one
    server = Tls(authority[0].context("api.openai.com"))
    client = Client(tmp_path / "mitmproxy-ca-cert.pem", "api.openai.com")

    server.receive(client.receive(b""))
    with pytest.raises(ssl.SSLCertVerificationError):
        client.receive(server.to_send())
    with pytest.raises(ssl.SSLError):
        server.receive(client._out.read())


def test_the_key_is_for_its_owner_only_and_the_authority_is_kept(tmp_path: Path) -> None:
    folder = tmp_path / "home"
    Authority(folder)
    before = (folder / "mitmproxy-ca.pem").read_bytes()

    Authority(folder)

    assert (folder / "mitmproxy-ca.pem").stat().st_mode & 0o777 == 0o600
    assert (folder / "mitmproxy-ca.pem").read_bytes() == before


def test_a_damaged_authority_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "mitmproxy-ca.pem").write_text("no key")

    with pytest.raises(UsageError) as raised:
        Authority(tmp_path)

    assert str(raised.value).startswith(f"the certificate authority in {tmp_path} cannot be used")
