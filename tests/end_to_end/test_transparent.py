"""Traffic that the system redirects to us, in network namespaces of its own."""

import json
from pathlib import Path

from tests.end_to_end.commands import PATIENCE_S, environment
from tests.end_to_end.namespace import enter
from tests.end_to_end.transparent import ADDRESS, CHUNKS, HOST, PATH


def test_redirected_traffic_is_recorded_and_replayed_without_a_route(tmp_path: Path) -> None:
    """The client is in a namespace with one cable, to the one that we are in."""
    done = enter(
        "tests.end_to_end.transparent",
        tmp_path,
        hosts={HOST: ADDRESS},
        folder=tmp_path,
        env=environment(tmp_path),
        timeout=PATIENCE_S * 3,
    )

    assert done.returncode == 0, "namespaces, iproute2, nftables and curl are needed for this test"
    said = json.loads(done.stdout)
    stream = b"".join(CHUNKS).decode()
    assert said["live"] == stream
    assert said["replayed"] == [stream] * 2
    assert said["connections"] == 1
    assert said["rows"] == [[HOST, PATH, "completed"]]
    assert said["recorder"] == 0
    assert said["player"] == "replayed 2 exchanges, 0 misses"
