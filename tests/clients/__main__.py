"""The client matrix: `python -m tests.clients [NAME...]`, or `make clients`.

Real clients, plainly and streamed, through a base URL and through the interception of
HTTPS: recorded, then replayed both ways. Upstreams are a genuine llama.cpp and a
stand-in for the gateway's other endpoints, behind TLS and the gateway's own names, in a
network namespace without a route (Linux). What clients need is installed below
build/clients the first time.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.clients.clients import CLIENTS
from tests.clients.world import HOSTS
from tests.end_to_end.commands import environment
from tests.end_to_end.namespace import enter


def main(arguments: list[str]) -> int:
    """Install, try, print; returns the exit code: 1 if a cell is not good."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.clients",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = [client.name for client in CLIENTS]
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(names))
    parser.add_argument(
        "--quick",
        action="store_true",
        help="only clients that this environment has, curl and one of Node's",
    )
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - set(names):
        parser.error(f"no such client: {', '.join(sorted(unknown))}")
    asked = [
        client
        for client in CLIENTS
        if client.name in (options.names or names) and (client.quick or not options.quick)
    ]
    for client in asked:
        environment = (client.quick if options.quick else None) or client.environment
        try:
            environment.install()
        except (OSError, subprocess.CalledProcessError) as error:
            words = getattr(error, "stderr", None) or str(error)
            print(f"{client.name} cannot be installed: {words}", file=sys.stderr)
            return 1
    with tempfile.TemporaryDirectory() as folder:
        quick = ["--quick"] if options.quick else []
        done = enter(
            "tests.clients.matrix",
            *(client.name for client in asked),
            *quick,
            hosts=dict.fromkeys(HOSTS, "127.0.0.1"),
            folder=Path(folder),
        )
    if done.returncode:
        print("The namespace could not be made, or the run broke off.", file=sys.stderr)
        return 1
    cells = json.loads(done.stdout)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(cells, indent=1))
    if "curl" in (client.name for client in asked) and not options.quick:
        cells += through_wireguard()
    print(table(cells))
    faults = [cell for cell in cells if cell["fault"]]
    for cell in faults:
        print(f"{cell['client']}, {cell['kind']}, recorded by {cell['recorded']}, replayed by "
              f"{cell['replayed']}: {cell['fault']}")  # fmt: skip
    print(f"{len(cells) - len(faults)} of {len(cells)} cells are good")
    return 1 if faults else 0


def through_wireguard() -> list[dict[str, Any]]:
    """A cell: curl in a tunnel of wireguard-go."""
    fault = None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        done = enter(
            "tests.end_to_end.through_wireguard",
            folder,
            hosts={"api.aigateway.sh": "203.0.113.10"},
            folder=folder,
            env=environment(folder),
        )
    if done.returncode:
        fault = "it broke off (wireguard-go, wireguard-tools and /dev/net/tun are needed)"
    else:
        said = json.loads(done.stdout)
        if said["replayed"] != [said["live"]] * 2 or said["connections"] != 1:
            fault = f"it says {said}"
    return [
        {
            "client": "curl", "kind": "streamed", "recorded": "WireGuard",
            "replayed": "WireGuard", "upstream": 0, "fault": fault,
        }
    ]  # fmt: skip


def table(cells: list[dict[str, Any]]) -> str:
    """A row for each client and way to record it, a column for each way to replay that."""
    columns = list(dict.fromkeys((c["replayed"], c["kind"]) for c in cells))
    lines = [
        f"| client | recorded by | {' | '.join(f'{way}, {kind}' for way, kind in columns)} |",
        "| --- | --- |" + " --- |" * len(columns),
    ]
    for name, recorded in dict.fromkeys((c["client"], c["recorded"]) for c in cells):
        found = {
            (c["replayed"], c["kind"]): "NO" if c["fault"] else "ok"
            for c in cells
            if (c["client"], c["recorded"]) == (name, recorded)
        }
        row = " | ".join(found.get(column, "") for column in columns)
        lines.append(f"| {name} | {recorded} | {row} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
