"""A world of its own, in a namespace without a route: the gateway's names lead to us.

`/etc/hosts` is another one there, the loopback is all the network there is, and port 443
can be listened on: nothing of a client, a recorder or a player is patched.
"""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from replayproxy.certificates import Authority
from tests.end_to_end.tls_front import Front, fronting

HOSTS = ("api.aigateway.sh", "media.aigateway.sh")


@contextmanager
def gateway_front(folder: Path) -> Iterator[Front]:
    """TLS for the gateway's names; its authority is in the folder: `mitmproxy-ca-cert.pem`."""
    folder.mkdir()
    with fronting(Authority(folder).context(HOSTS[0]), port=443) as front:
        yield front


def run_client(
    command: Sequence[str], settings: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """A client's program, with nothing in its environment that would lead it elsewhere."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return subprocess.run(
        command, env={**kept, **settings}, capture_output=True, text=True, timeout=120, check=False
    )
