"""One file of all authorities that a client should trust: the public ones, the user's, and ours.

Most variables that name such a file replace the system's authorities by it. With ours
alone in it, every other host would fail to verify.
"""

import hashlib
import importlib.util
import os
import re
import ssl
import sys
import tempfile
from collections.abc import Iterator, Mapping
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

    What variables such as SSL_CERT_FILE name now belongs in it, too. If that is more than
    the public ones, a company's own authority, say, the file has a name of its own, so
    that shells with another environment keep theirs.

    Raises:
        UsageError: our authority cannot be read, or the file not written.
    """
    try:
        own = set(_certificates(ours.read_bytes()))
        public = dict.fromkeys(_public())
        more = dict.fromkeys(_named(inherited, folder)).keys() - public.keys() - own
        mark = hashlib.sha256(b"".join(sorted(more))).hexdigest()[:8]
        path = folder / (f"{_NAME}-{mark}.pem" if more else f"{_NAME}.pem")
        content = b"\n".join((*public, *sorted(more), *own, b""))
        if not path.exists() or path.read_bytes() != content:
            _write(path, content)
    except OSError as error:
        raise UsageError(f"the file of authorities cannot be made: {error}") from error
    return path


def holds(path: Path, ours: Path) -> bool:
    """Whether our authority is among those of a file. Raises OSError."""
    (own,) = _certificates(ours.read_bytes())
    return own in set(_certificates(path.read_bytes()))


def _named(inherited: Mapping[str, str], folder: Path) -> Iterator[bytes]:
    """What the user's variables name, but for the files that we made."""
    for file in dict.fromkeys(Path(inherited[name]) for name in AUTHORITIES if inherited.get(name)):
        made_by_us = file.parent == folder and file.name.startswith(_NAME)
        if file.is_file() and not made_by_us:
            yield from _certificates(file.read_bytes())


def _public() -> Iterator[bytes]:
    if sys.platform == "win32":
        for der, encoding, _ in ssl.enum_certificates("ROOT"):
            if encoding == "x509_asn":
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


def _write(path: Path, content: bytes) -> None:
    """All at once: whoever reads it now sees the old one or the new one."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f"{_NAME}.", delete=False) as file:
        file.write(content)
    os.replace(file.name, path)  # noqa: PTH105 (a temporary file's name is text)
