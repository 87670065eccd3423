"""Transparent mode: a neighbour's traffic is redirected to us, and it knows nothing of it.

Run in a namespace (see namespace.py): prints JSON about what a client got and who was asked.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from replayproxy.certificates import Authority
from tests.end_to_end.commands import Child, listed, serving
from tests.end_to_end.namespace import (
    Neighbour,
    check_there_is_no_way_out,
    ip,
    loopback_up,
    neighbour,
    run,
)
from tests.end_to_end.tls_front import Front, fronting
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


@contextmanager
def machines(folder: Path) -> Iterator[tuple[Neighbour, Path]]:
    """A neighbour, and the authority of the upstream that it means to reach."""
    upstream_ca = folder / "upstream"
    upstream_ca.mkdir()
    loopback_up()
    ip("address", "add", f"{ADDRESS}/32", "dev", "lo")
    with neighbour() as client:
        check_there_is_no_way_out()
        yield client, upstream_ca


@contextmanager
def recording(*arguments: str, folder: Path, upstream_ca: Path) -> Iterator[tuple[Child, Front]]:
    """A recorder, and the upstream behind TLS, at its own address; then nothing is there."""
    with Upstream(lambda request: streamed(CHUNKS)) as upstream:
        context = Authority(upstream_ca).context(HOST)
        trust = ("--upstream-ca", str(upstream_ca / "mitmproxy-ca-cert.pem"))
        with (
            fronting(context, backend=upstream.port, host=ADDRESS, port=443) as front,
            serving("record", *arguments, *trust, cwd=folder) as recorder,
        ):
            yield recorder, front
        assert {request.headers["host"] for request in upstream.requests} == {HOST}
    ip("address", "del", f"{ADDRESS}/32", "dev", "lo")


def curl(client: Neighbour, folder: Path, scheme: str = "https", *more: str) -> str:
    """What curl gets there."""
    command: list[str | Path] = ["curl", "--silent", "--show-error", "--noproxy", "*"]
    command += ["--cacert", folder / "home" / "mitmproxy-ca-cert.pem"]
    command += ["--json", json.dumps(ASK), f"{scheme}://{HOST}{PATH}"]
    return client.run(*command, *more).decode()


def stored(folder: Path) -> list[list[str]]:
    """What was recorded."""
    return [[row["host"], row["path"], row["outcome"]] for row in listed(folder)]


def main() -> None:
    """As the module says."""
    folder = Path(sys.argv[1])
    with machines(folder) as (client, upstream_ca):
        run(["nft", "-f", "-"], stdin=REDIRECT)
        with recording(*LISTEN, folder=folder, upstream_ca=upstream_ca) as (recorder, front):
            live = curl(client, folder)
        with serving("replay", *LISTEN, cwd=folder) as player:
            replayed = [curl(client, folder), curl(client, folder, "http")]
    print(
        json.dumps(
            {
                "live": live, "replayed": replayed, "rows": stored(folder),
                "connections": front.connections, "recorder": recorder.code,
                "player": player.words.splitlines()[-1],
            }
        )
    )  # fmt: skip


if __name__ == "__main__":
    main()
