"""Transparent mode: a neighbour's traffic is redirected to us, and it knows nothing of it.

Run in a namespace (see namespace.py): prints JSON about what a client got and who was asked.
"""

import json
import sys
from pathlib import Path

from replayproxy.certificates import Authority
from tests.end_to_end.commands import listed, serving
from tests.end_to_end.namespace import (
    Neighbour,
    check_there_is_no_way_out,
    ip,
    loopback_up,
    neighbour,
    run,
)
from tests.end_to_end.tls_front import fronting
from tests.end_to_end.upstream import Upstream, streamed

HOST, ADDRESS = "api.aigateway.sh", "203.0.113.10"
PATH = "/v1/chat/completions"
EVENT = b'data: {"model":"gpt-x","choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n'
CHUNKS = [EVENT[:20], EVENT[20:], b"data: [DONE]\n\n"]
ASK = {"model": "gpt-x", "stream": True, "messages": []}
LISTEN = ("--mode", f"transparent@{Neighbour.ours}:8080", "--expose")

# what the README tells to do on the machine that other machines' traffic goes through
REDIRECT = f"""
table ip replayproxy {{
    chain prerouting {{
        type nat hook prerouting priority dstnat
        iifname "{Neighbour.interface}" tcp dport {{ 80, 443 }} redirect to :8080
    }}
}}
"""


def main() -> None:
    """As the module says."""
    folder = Path(sys.argv[1])
    ca = folder / "home" / "mitmproxy-ca-cert.pem"
    upstream_ca = folder / "upstream"
    upstream_ca.mkdir()
    loopback_up()
    ip("address", "add", f"{ADDRESS}/32", "dev", "lo")
    with neighbour() as client:
        check_there_is_no_way_out()
        run(["nft", "-f", "-"], stdin=REDIRECT)

        def ask(scheme: str) -> str:
            command: list[str | Path] = [
                "curl",
                "--silent",
                "--show-error",
                "--noproxy",
                "*",
                "--cacert",
                ca,
            ]
            return client.run(
                *command, "--json", json.dumps(ASK), f"{scheme}://{HOST}{PATH}"
            ).decode()

        with Upstream(lambda request: streamed(CHUNKS)) as upstream:
            context = Authority(upstream_ca).context(HOST)
            trust = ("--upstream-ca", str(upstream_ca / "mitmproxy-ca-cert.pem"))
            with (
                fronting(context, backend=upstream.port, host=ADDRESS, port=443) as front,
                serving("record", *LISTEN, *trust, cwd=folder) as recorder,
            ):
                live = ask("https")
            asked = {"connections": front.connections, "hosts": [
                request.headers["host"] for request in upstream.requests
            ]}  # fmt: skip
        # now there is nothing any more at that address: no route leads there
        ip("address", "del", f"{ADDRESS}/32", "dev", "lo")
        with serving("replay", *LISTEN, cwd=folder) as player:
            replayed = [ask("https"), ask("http")]
    rows = [[row["host"], row["path"], row["outcome"]] for row in listed(folder)]
    print(
        json.dumps(
            {
                "live": live, "replayed": replayed, "rows": rows, **asked,
                "recorder": recorder.code, "player": player.words.splitlines()[-1],
            }
        )
    )  # fmt: skip


if __name__ == "__main__":
    main()
