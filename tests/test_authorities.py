"""Whom to trust: a file may say in any language whose authorities it holds."""

from pathlib import Path

import pytest

from replayproxy.authorities import trusting
from replayproxy.errors import UsageError
from tests.end_to_end.http2 import make_certificates


def test_authorities_are_trusted_besides_the_public_ones(tmp_path: Path) -> None:
    authority, _ = make_certificates(tmp_path)
    commented = tmp_path / "company.pem"
    commented.write_bytes("# Behörde\n".encode("latin-1") + authority.read_bytes())
    public = trusting(None).cert_store_stats()["x509_ca"]

    assert trusting(commented).cert_store_stats()["x509_ca"] == public + 1


@pytest.mark.parametrize(("content", "why"), [(b"", "no certificate"), (None, "cannot be read")])
def test_a_file_without_any_is_said_so(content: bytes | None, why: str, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(UsageError, match=why):
        trusting(path)
