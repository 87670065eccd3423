"""A client in a WireGuard tunnel, recorded and replayed: its names are ours to resolve.

Run in a namespace (see namespace.py): prints JSON. The tunnel is wireguard-go's, which
needs no module of the kernel, but /dev/net/tun.
"""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.end_to_end.commands import serving
from tests.end_to_end.namespace import Neighbour
from tests.end_to_end.transparent import ADDRESS, HOST, curl, machines, recording, stored

TUNNEL = f"rp{os.getpid()}"
RESOLVER = "10.0.0.53"  # as our settings for clients say
LISTEN = ("--mode", f"wireguard@{Neighbour.ours}:51820")

# Asks again, as resolvers do: the tunnel needs a while to see that its other end is another.
LOOK_UP = f"""
import socket, struct, sys

name = b"".join(bytes([len(part)]) + part.encode() for part in sys.argv[1].split("."))
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as resolver:
    resolver.settimeout(2)
    resolver.connect(({RESOLVER!r}, 53))
    for _ in range(20):
        resolver.send(struct.pack("!6H", 7, 0x100, 1, 0, 0, 0) + name + bytes([0, 0, 1, 0, 1]))
        try:
            answer = resolver.recv(512)
        except TimeoutError:
            continue
        print(socket.inet_ntoa(answer[-4:]))
        break
"""


def main() -> None:
    """As the module says."""
    folder = Path(sys.argv[1])
    with machines(folder) as (client, upstream_ca), ExitStack() as stack:
        with recording(*LISTEN, folder=folder, upstream_ca=upstream_ca) as (_, front):
            settings = folder / "home" / "wireguard-client.conf"
            stack.enter_context(tunnel(client, settings, folder))
            live = curl(client, folder)
        with serving("replay", *LISTEN, cwd=folder) as player:
            address = client.run(sys.executable, "-c", LOOK_UP, HOST).decode().strip()
            by_address = curl(client, folder, "https", "--resolve", f"{HOST}:443:{address}")
            replayed = [curl(client, folder), by_address]
    print(
        json.dumps(
            {
                "live": live, "replayed": replayed, "rows": stored(folder),
                "connections": front.connections, "player": player.words.splitlines()[-1],
            }
        )
    )  # fmt: skip


@contextmanager
def tunnel(client: Neighbour, settings: Path, folder: Path) -> Iterator[None]:
    """What `wg-quick up` does, without the system's resolver and firewall; and `down`."""
    lines = settings.read_text().splitlines()
    of_wg = [line for line in lines if not line.startswith(("Address", "DNS"))]
    (folder / "wg.conf").write_text("\n".join(of_wg) + "\n")
    client.run("wireguard-go", TUNNEL)
    try:
        client.run("wg", "setconf", TUNNEL, folder / "wg.conf")
        for words in (
            f"address add 10.0.0.1/32 dev {TUNNEL}",
            f"link set {TUNNEL} up",
            f"route add {ADDRESS}/32 dev {TUNNEL}",
            f"route add {RESOLVER}/32 dev {TUNNEL}",
            f"route add 198.18.0.0/15 dev {TUNNEL}",
        ):
            client.run("ip", *words.split())
        yield
    finally:
        client.run("ip", "link", "delete", TUNNEL)  # which ends wireguard-go


if __name__ == "__main__":
    main()
