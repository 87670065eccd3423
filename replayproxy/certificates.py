"""Certificates for the hosts that clients mean to reach, signed by our own authority.

The authority is mitmproxy's (`mitmproxy-ca.pem`, made on first use, readable by its
owner only): the same one recording uses, so that clients trust both. Needs the
`proxy` extra.
"""

import base64
import hashlib
import ipaddress
import ssl
import tempfile
from functools import lru_cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.serialization import pkcs12
from mitmproxy.certs import CertStore

from replayproxy.errors import UsageError

JAVA_PASSWORD = b"changeit"
"""Java's own; a trust store holds nothing secret."""

_NAME = "mitmproxy"
_KEY_BITS = 2048
_REMEMBERED = 256


class Authority:
    """Vouches for any host.

    Raises:
        UsageError: the files in the folder are damaged, or cannot be read or made.
    """

    def __init__(self, folder: Path) -> None:
        self._key = folder / f"{_NAME}-ca.pem"
        try:
            self._store = CertStore.from_store(folder, _NAME, _KEY_BITS)
        except (OSError, ValueError) as error:
            raise UsageError(
                f"the certificate authority in {folder} cannot be used: {error}. "
                f"Move {folder} away to have a new one made; clients then have to trust that one."
            ) from error
        self.context = lru_cache(_REMEMBERED)(self._context)

    @property
    def certificate_file(self) -> Path:
        """What clients have to trust, as PEM."""
        return self._key.with_name(f"{_NAME}-ca-cert.pem")

    @property
    def sha1(self) -> str:
        """The fingerprint by which some systems know a certificate."""
        return self._certificate().fingerprint(hashes.SHA1()).hex().upper()  # noqa: S303 (a name)

    def facts(self) -> dict[str, str]:
        """What a person wants to know of it, none of it secret.

        `spki` is how Chromium names it on its command line.
        """
        found = self._certificate()
        public_key = found.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        digest = found.fingerprint(hashes.SHA256()).hex(":").upper()
        return {
            "subject": found.subject.rfc4514_string(),
            "sha256": digest,
            "spki": base64.b64encode(hashlib.sha256(public_key).digest()).decode(),
            "valid_from": found.not_valid_before_utc.isoformat(),
            "valid_until": found.not_valid_after_utc.isoformat(),
            "certificate": str(self.certificate_file),
            "key": str(self._key),
        }

    def exported(self, form: str) -> bytes:
        """The certificate without its key: `pem`, `der`, or `p12`, a trust store for Java."""
        found = self._certificate()
        if form == "p12":
            named = pkcs12.PKCS12Certificate(found, b"replayproxy")
            password = serialization.BestAvailableEncryption(JAVA_PASSWORD)
            return pkcs12.serialize_java_truststore([named], password)
        return found.public_bytes(
            serialization.Encoding.DER if form == "der" else serialization.Encoding.PEM
        )

    def _certificate(self) -> x509.Certificate:
        return self._store.default_ca.to_cryptography()

    def _context(self, host: str) -> ssl.SSLContext:
        """For a server that says it is this host, or another that the client names."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_alpn_protocols(["http/1.1"])
        found = self._store.get_cert(host, [_subject(host)])
        with tempfile.NamedTemporaryFile(suffix=".pem") as file:  # OpenSSL takes files only
            file.writelines(one.to_pem() for one in (found.cert, *found.chain_certs))
            file.flush()
            context.load_cert_chain(file.name, self._key)

        def named(tls: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: ssl.SSLContext) -> None:
            if name and name != host:
                tls.context = self.context(name)

        context.sni_callback = named
        return context


def _subject(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
