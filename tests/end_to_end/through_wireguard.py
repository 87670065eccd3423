"""A client in a WireGuard tunnel, recorded and replayed: its names are ours to resolve.

Run in a namespace (see namespace.py): prints JSON. The tunnel is wireguard-go's, which
needs no module of the kernel, but /dev/net/tun.
"""

import json
import sys
from pathlib import Path

from replayproxy.certificates import Authority
from tests.end_to_end.commands import listed, serving
from tests.end_to_end.namespace import Neighbour, ip, loopback_up, neighbour
from tests.end_to_end.tls_front import fronting
from tests.end_to_end.transparent import ADDRESS, ASK, CHUNKS, HOST, PATH
from tests.end_to_end.upstream import Upstream, streamed

LISTEN = ("--mode", f"wireguard@{Neighbour.ours}:51820")


def main() -> None:
    """As the module says."""
    folder = Path(sys.argv[1])
    ca = folder / "home" / "mitmproxy-ca-cert.pem"
    upstream_ca = folder / "upstream"
    upstream_ca.mkdir()
    loopback_up()
    ip("address", "add", f"{ADDRESS}/32", "dev", "lo")
    with neighbour() as client:

        def ask() -> str:
            command: list[str | Path] = ["curl", "--silent", "--show-error", "--noproxy", "*"]
            command += ["--cacert", ca, "--json", json.dumps(ASK), f"https://{HOST}{PATH}"]
            return client.run(*command).decode()

        with Upstream(lambda request: streamed(CHUNKS)) as upstream:
            context = Authority(upstream_ca).context(HOST)
            trust = ("--upstream-ca", str(upstream_ca / "mitmproxy-ca-cert.pem"))
            with (
                fronting(context, backend=upstream.port, host=ADDRESS, port=443) as front,
                serving("record", *LISTEN, *trust, cwd=folder) as recorder,
            ):
                open_tunnel(client, folder / "home" / "wireguard-client.conf", folder)
                live = ask()
            connections = front.connections
        ip("address", "del", f"{ADDRESS}/32", "dev", "lo")
        with serving("replay", *LISTEN, cwd=folder) as player:
            replayed = ask()
    rows = [[row["host"], row["path"], row["outcome"]] for row in listed(folder)]
    print(
        json.dumps(
            {
                "live": live, "replayed": replayed, "rows": rows, "connections": connections,
                "words": [recorder.words, player.words],
            }
        )
    )  # fmt: skip


def open_tunnel(client: Neighbour, settings: Path, folder: Path) -> None:
    """What `wg-quick up` does, without the system's resolver and firewall."""
    lines = settings.read_text().splitlines()
    of_wg = [line for line in lines if not line.startswith(("Address", "DNS"))]
    (folder / "wg.conf").write_text("\n".join(of_wg) + "\n")
    client.run("wireguard-go", "wg0")
    client.run("wg", "setconf", "wg0", folder / "wg.conf")
    for words in (
        "address add 10.0.0.1/32 dev wg0",
        "link set wg0 up",
        f"route add {ADDRESS}/32 dev wg0",
    ):
        client.run("ip", *words.split())


if __name__ == "__main__":
    main()
