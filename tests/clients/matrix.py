"""Records and replays each client, in a world of its own: `python -m tests.clients` runs it there.

Prints JSON: a list of cells. A cell is good if what the client made of the replayed
answers is what it made of the live ones, and nobody upstream was asked.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from tests.clients.clients import CLIENTS, Client
from tests.clients.gateway import serving_gateway
from tests.clients.world import HOSTS, gateway_front, run_client
from tests.end_to_end.commands import Child, listed, serving
from tests.end_to_end.namespace import check_there_is_no_way_out, loopback_up
from tests.end_to_end.tls_front import Front
from tests.llama.fixture import running_llama_server
from tests.llama.tiny_gguf import write_model

type Way = Literal["base URL", "interception"]

API, MEDIA = (f"https://{host}" for host in HOSTS)
WAYS: tuple[Way, ...] = ("base URL", "interception")
KINDS = ("plain", "streamed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What was tried, and what was wrong; None: nothing.

    Attributes:
        recorded, replayed: how the client came in.
        upstream: how often the upstream was connected to during the replay.
    """

    client: str
    kind: str
    recorded: Way
    replayed: Way
    upstream: int
    fault: str | None


class Faulty(Exception):
    """A client did not do what it should; the text says what."""


def cells(client: Client, upstream: Front, folder: Path, *, quick: bool) -> Iterator[Cell]:
    """Recorded each way, each recording replayed both ways."""
    command = ((client.quick if quick else None) or client.environment).command(client.program)
    for recorded in WAYS:
        cwd = folder / f"{client.name} {recorded}".replace("/", "_")
        cwd.mkdir()
        live, fault = None, None
        try:
            live = _recorded(command, recorded, upstream, cwd, folder)
        except (Faulty, AssertionError) as error:
            fault = f"recording: {error}"
        for replayed in WAYS:
            before = upstream.connections
            answers: dict[str, Any] = {}
            if live:
                try:
                    answers = _replayed(command, replayed, cwd)
                except (Faulty, AssertionError) as error:
                    fault = f"replaying: {error}"
            for kind in KINDS:
                wrong = fault
                if not wrong and (live or {})[kind] != answers[kind]:
                    wrong = "the replay says something else"
                asked = upstream.connections - before
                if not wrong and asked:
                    wrong = "the upstream was asked during the replay"
                yield Cell(
                    client=client.name, kind=kind, recorded=recorded, replayed=replayed,
                    upstream=asked, fault=wrong,
                )  # fmt: skip


def _recorded(
    command: list[str], way: Way, upstream: Front, cwd: Path, folder: Path
) -> dict[str, Any]:
    """What the client made of the live answers."""
    before = upstream.connections
    authority = folder / "upstream" / "mitmproxy-ca-cert.pem"
    with _ours("record", "--upstream-ca", str(authority), cwd=cwd) as recorder:
        answers = _asked(command, way, recorder, cwd)
    if recorder.code:
        raise Faulty(recorder.words)
    rows = listed(cwd)
    if upstream.connections == before or not rows:
        raise Faulty("it did not come through the recorder")
    if odd := {row["outcome"] for row in rows} - {"completed"}:
        raise Faulty(f"exchanges are {odd}")
    if {row["host"] for row in rows} - set(HOSTS):
        raise Faulty(f"recorded of {rows}")
    return answers


def _replayed(command: list[str], way: Way, cwd: Path) -> dict[str, Any]:
    with _ours("replay", "--speed", "instant", cwd=cwd) as player:
        answers = _asked(command, way, player, cwd)
    if not player.words.endswith(" 0 misses\n"):
        raise Faulty(player.words)
    return answers


def _ours(command: str, *arguments: str, cwd: Path) -> Any:
    """Our command, with both ways in open."""
    upstreams = ("--upstream", API, "--upstream", f"/media={MEDIA}")
    return serving(command, *upstreams, "--mode", "regular@8081", *arguments, cwd=cwd)


def _asked(command: list[str], way: Way, ours: Child, cwd: Path) -> dict[str, Any]:
    """What the client prints, which is what it got."""
    if way == "base URL":
        settings = {"API": ours.url, "MEDIA": f"{ours.url}/media"}
    else:
        authority = str(cwd / "home" / "mitmproxy-ca-cert.pem")
        trusts = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
        settings = {"API": API, "HTTPS_PROXY": "http://127.0.0.1:8081"}
        settings |= dict.fromkeys(trusts, authority)
    done = run_client(command, settings)
    if done.returncode:
        raise Faulty(f"exit code {done.returncode}: {done.stderr.strip()[-600:]}")
    answers: dict[str, Any] = json.loads(done.stdout)
    if not all(answers.get(kind) for kind in KINDS):
        raise Faulty(f"it got nothing: {answers}")
    return answers


def handed_over(clients: list[Client], folder: Path, upstream: Front, *, quick: bool) -> list[Cell]:
    """What curl recorded through interception answers Node's SDK through a base URL."""
    by_name = {client.name: client for client in clients}
    if not {"curl", "node openai"} <= by_name.keys():
        return []
    node = by_name["node openai"]
    curl = by_name["curl"].environment.command(by_name["curl"].program)
    cwd, before, fault = folder / "curl interception", upstream.connections, None
    environment = (node.quick if quick else None) or node.environment
    said: dict[str, Any] = {}
    try:
        said = _replayed(environment.command(node.program), "base URL", cwd)
        if said != (again := _replayed(curl, "interception", cwd)):
            fault = f"it got {said}, and curl {again}"
    except (Faulty, AssertionError) as error:
        fault = str(error)
    return [
        Cell(
            client="curl, then node openai", kind=kind, recorded="interception",
            replayed="base URL", upstream=upstream.connections - before, fault=fault,
        )
        for kind in KINDS
    ]  # fmt: skip


def main(arguments: list[str]) -> None:
    """As the module says."""
    parser = argparse.ArgumentParser(prog="python -m tests.clients.matrix")
    parser.add_argument("names", nargs="+")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args(arguments)
    clients = [client for client in CLIENTS if client.name in options.names]
    loopback_up()
    check_there_is_no_way_out()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        write_model(folder / "tiny.gguf")
        llama = stack.enter_context(running_llama_server(folder / "tiny.gguf"))
        port = urlsplit(llama.origin).port
        assert port is not None
        backends = {"llama": port, "gateway": stack.enter_context(serving_gateway())}
        upstream = stack.enter_context(gateway_front(folder / "upstream"))
        found: list[Cell] = []
        for client in clients:
            print(client.name, file=sys.stderr)
            upstream.backend = backends[client.upstream]
            found += cells(client, upstream, folder, quick=options.quick)
        found += handed_over(clients, folder, upstream, quick=options.quick)
    print(json.dumps([asdict(cell) for cell in found]))


if __name__ == "__main__":
    main(sys.argv[1:])
