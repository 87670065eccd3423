"""Replays in a network namespace that has no route: `unshare --net python -m ...`.

Prints the status of each answer: first those of a replay that serves, then those of
programs that it runs. The hosts that are asked for have no address here.
"""

import fcntl
import json
import socket
import struct
import sys
from contextlib import suppress
from pathlib import Path

from tests.end_to_end.commands import run, serving
from tests.end_to_end.test_fail_closed import KNOWN, PATH, UNKNOWN
from tests.end_to_end.wire import post

_SET_FLAGS = 0x8914  # SIOCSIFFLAGS
_UP = 0x1  # IFF_UP


ASK = ("sh", "-c", 'curl -s -o /dev/null -w "%{http_code}" -d "$0" "$(eval echo "$1")"')
WAYS = (
    ((), f"https://api.openai.com{PATH}"),
    ((), f"http://api.openai.com{PATH}"),
    (("--base-url",), "$OPENAI_BASE_URL/chat/completions"),
)


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
    for body in (KNOWN, UNKNOWN):
        for way, url in WAYS:
            print(run("replay", *way, "--", *ASK, json.dumps(body), url, cwd=folder).stdout)


if __name__ == "__main__":
    main()
