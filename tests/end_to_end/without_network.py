"""Replays in a network namespace that has no route: `unshare --net python -m ...`.

Prints the status of each answer. The hosts that are asked for have no address here.
"""

import fcntl
import socket
import struct
import sys
from contextlib import suppress
from pathlib import Path

from tests.end_to_end.commands import serving
from tests.end_to_end.test_fail_closed import KNOWN, PATH, UNKNOWN
from tests.end_to_end.wire import post

_SET_FLAGS = 0x8914  # SIOCSIFFLAGS
_UP = 0x1  # IFF_UP


def main() -> None:
    """As the module says."""
    folder = Path(sys.argv[1])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sh14x", b"lo", _UP))
    with suppress(OSError):
        socket.create_connection(("192.0.2.1", 443), 1)
        raise SystemExit("there is a way out of here")
    ca = folder / "home" / "mitmproxy-ca-cert.pem"
    with serving("replay", cwd=folder) as player:
        for body in (KNOWN, UNKNOWN):
            print(post(player.url + PATH, body).status)
            for host in ("http://api.openai.com:80", "https://api.openai.com"):
                print(post(host + PATH, body, tunnel=player.url, authority=ca).status)


if __name__ == "__main__":
    main()
