"""Certificates for the hosts that clients mean to reach, signed by our own authority.

The authority is mitmproxy's (`mitmproxy-ca.pem`, made on first use, readable by its
owner only): the same one recording uses, so that clients trust both. Needs the
`proxy` extra.
"""

import ipaddress
import ssl
import tempfile
from functools import lru_cache
from pathlib import Path

from cryptography import x509
from mitmproxy.certs import CertStore

from replayproxy.errors import UsageError

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
