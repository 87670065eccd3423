"""One file of all authorities that a client should trust: the public ones, the user's, and ours.

Most variables that name such a file replace the system's authorities by it. With ours
alone in it, every other host would fail to verify.
"""

import hashlib
import importlib.util
import os
import re
import ssl
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from replayproxy.environment.proxying import AUTHORITIES
from replayproxy.errors import UsageError

_NAME = "ca-bundle"
_SYSTEM = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Arch, Alpine
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",  # macOS, BSD, Alpine
)
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def bundle(ours: Path, *, folder: Path, inherited: Mapping[str, str]) -> Path:
    """The file, in this folder; written anew if what belongs in it has changed.

    What variables such as SSL_CERT_FILE name now belongs in it, too: a company's own
    authority, say. It then has a name of its own, so that shells with another
    environment keep theirs.

    Raises:
        UsageError: our authority cannot be read, or the file not written.
    """
    named = _named(inherited, folder)
    try:
        content = b"\n".join((*_distinct(_public(named)), *_certificates(ours.read_bytes()), b""))
        mark = hashlib.sha256("\n".join(map(str, named)).encode()).hexdigest()[:8]
        path = folder / (f"{_NAME}-{mark}.pem" if named else f"{_NAME}.pem")
        if not path.exists() or path.read_bytes() != content:
            _write(path, content)
    except OSError as error:
        raise UsageError(f"the file of authorities cannot be made: {error}") from error
    return path


def holds(path: Path, ours: Path) -> bool:
    """Whether our authority is among those of a file. Raises OSError."""
    (own,) = _certificates(ours.read_bytes())
    return own in set(_certificates(path.read_bytes()))


def _named(inherited: Mapping[str, str], folder: Path) -> list[Path]:
    """The files that the user's variables name, without those we made."""
    files = dict.fromkeys(Path(inherited[name]) for name in AUTHORITIES if inherited.get(name))
    return [
        file
        for file in files
        if file.is_file() and not (file.parent == folder and file.name.startswith(_NAME))
    ]


def _public(named: Iterable[Path]) -> Iterator[bytes]:
    for file in named:
        yield from _certificates(file.read_bytes())
    for der in ssl.create_default_context().get_ca_certs(binary_form=True):
        yield from _certificates(ssl.DER_cert_to_PEM_cert(der).encode())
    for name in _SYSTEM:
        if Path(name).is_file():
            yield from _certificates(Path(name).read_bytes())
            break
    if importlib.util.find_spec("certifi"):
        import certifi

        yield from _certificates(certifi.contents().encode())


def _certificates(pem: bytes) -> Iterator[bytes]:
    for found in _PEM.findall(pem):
        yield b"\n".join(found.split(b"\n" if b"\r" not in found else b"\r\n"))


def _distinct(certificates: Iterable[bytes]) -> Iterable[bytes]:
    return dict.fromkeys(certificates)


def _write(path: Path, content: bytes) -> None:
    """All at once: whoever reads it now sees the old one or the new one."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f"{_NAME}.", delete=False) as file:
        file.write(content)
    os.replace(file.name, path)  # noqa: PTH105 (a temporary file's name is text)
