"""The server's side of a SOCKS5 handshake (RFC 1928): bytes in, bytes out. No socket.

Only what a client needs that wants a connection: no password, no BIND, no UDP.
"""

import ipaddress

FIRST_BYTE = 0x05
"""What a greeting begins with, and neither TLS nor an HTTP request does."""

_NO_PASSWORD = 0x00
_CONNECT = 0x01
_V4, _NAME, _V6 = 0x01, 0x03, 0x04
_NONE_ACCEPTABLE, _NO_SUCH_COMMAND, _NO_SUCH_ADDRESS = 0xFF, 0x07, 0x08


class Handshake:
    """One client's.

    Attributes:
        target: host and port that it wants to reach; None: it has not said yet.
        refused: it wants something else: hang up once it has been told so.

    >>> handshake = Handshake()
    >>> handshake.receive(bytes([5, 1, 0]))
    b'\\x05\\x00'
    >>> handshake.receive(bytes([5, 1, 0, 3, 3]) + b"abc" + bytes([1, 187]) + b"GET")[:2]
    b'\\x05\\x00'
    >>> handshake.target, handshake.rest()
    (('abc', 443), b'GET')
    """

    def __init__(self) -> None:
        self.target: tuple[str, int] | None = None
        self.refused = False
        self._greeted = False
        self._received = b""

    def receive(self, data: bytes) -> bytes:
        """Bytes have come; these have to be sent."""
        self._received += data
        answer = b""
        if not self._greeted:
            answer = self._greeting()
        if self._greeted and not self.refused and self.target is None:
            answer += self._request()
        return answer

    def rest(self) -> bytes:
        """What came after the handshake: it is for the target."""
        rest, self._received = self._received, b""
        return rest

    def _take(self, length: int) -> bytes | None:
        """The next so many bytes; None: they are not there yet."""
        if len(self._received) < length:
            return None
        taken, self._received = self._received[:length], self._received[length:]
        return taken

    def _greeting(self) -> bytes:
        if len(self._received) < 2 or not (greeting := self._take(2 + self._received[1])):
            return b""
        self._greeted = True
        self.refused = greeting[0] != FIRST_BYTE or _NO_PASSWORD not in greeting[2:]
        return bytes([FIRST_BYTE, _NONE_ACCEPTABLE if self.refused else _NO_PASSWORD])

    def _request(self) -> bytes:
        received = self._received
        if len(received) < 5:
            return b""
        if received[0] != FIRST_BYTE or received[1] != _CONNECT:
            return self._refuse(_NO_SUCH_COMMAND)
        kind = received[3]
        length = {_V4: 4, _V6: 16, _NAME: 1 + received[4]}.get(kind)
        if length is None:
            return self._refuse(_NO_SUCH_ADDRESS)
        request = self._take(4 + length + 2)
        if request is None:
            return b""
        address = request[4:-2]
        try:
            host = (
                address[1:].decode("ascii") if kind == _NAME else str(ipaddress.ip_address(address))
            )
        except UnicodeDecodeError:
            return self._refuse(_NO_SUCH_ADDRESS)
        self.target = host, int.from_bytes(request[-2:])
        return _reply(0)

    def _refuse(self, code: int) -> bytes:
        self.refused = True
        return _reply(code)


def _reply(code: int) -> bytes:
    """With an address of ours that says nothing."""
    return bytes([FIRST_BYTE, code, 0, _V4, 0, 0, 0, 0, 0, 0])
