"""The server's side of TLS as bytes in, bytes out: no socket, so no waiting.

Python's ready-made ones read from a socket or replace a transport. Here a connection
reads the first byte itself, to see whether what follows is TLS at all.
"""

import ssl

FIRST_BYTE = 0x16
"""What a TLS handshake begins with, and no HTTP request does."""

_AT_ONCE = 256 * 1024


class Tls:
    """One connection.

    Attributes:
        is_open: the handshake is done: the client trusts the certificate.

    Raises:
        ssl.SSLError: by `receive`, if the client breaks it off or makes no sense.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        self._received, self._to_send = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._received, self._to_send, server_side=True)
        self.is_open = False

    def receive(self, data: bytes) -> bytes:
        """What the client's bytes mean so far. Afterwards there may be something `to_send`."""
        self._received.write(data)
        plain = bytearray()
        try:
            if not self.is_open:
                self._tls.do_handshake()
                self.is_open = True
            while piece := self._tls.read(_AT_ONCE):
                plain += piece
        except (ssl.SSLWantReadError, ssl.SSLZeroReturnError):
            pass
        return bytes(plain)

    def seal(self, data: bytes) -> bytes:
        """These bytes as they leave, with whatever else is due."""
        if data:
            self._tls.write(data)
        return self.to_send()

    def to_send(self) -> bytes:
        """What has to leave for the protocol's own sake."""
        return self._to_send.read()

    def farewell(self) -> bytes:
        """The end in order: without it the client cannot tell that the answer was whole."""
        if self.is_open:
            try:
                self._tls.unwrap()
            except ssl.SSLError:
                pass  # it waits for the client's farewell, which we don't
        return self.to_send()
