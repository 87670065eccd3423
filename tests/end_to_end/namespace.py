"""Network namespaces: what runs in one sees a network of its own, made for a test.

It takes Linux, util-linux (`unshare`, `nsenter`), iproute2, and the right to make user
namespaces. Where that is not so, what is tried here fails and says so.
"""

import fcntl
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).parents[2]

_SET_FLAGS = 0x8914  # SIOCSIFFLAGS
_UP = 0x1  # IFF_UP
_ENTER = 'mount --bind "$0" /etc/hosts && exec "$@"'


def enter(
    module: str,
    *arguments: str | Path,
    hosts: Mapping[str, str],
    folder: Path,
    env: Mapping[str, str] | None = None,
    timeout: float | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run `python -m MODULE ARGUMENTS` in a namespace of its own, to its end.

    Args:
        hosts: what names lead to there: address by name.
        folder: for the file that says so.
    """
    file = folder / "hosts"
    lines = (f"{address} {name}\n" for name, address in {"localhost": "127.0.0.1", **hosts}.items())
    file.write_text("".join(lines))
    return subprocess.run(
        ["unshare", "--map-root-user", "--net", "--mount", "sh", "-c", _ENTER, file,
         sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env=env,
        stdout=subprocess.PIPE,
        text=True,
        timeout=timeout,
        check=False,
    )  # fmt: skip


def loopback_up() -> None:
    """Until then not even 127.0.0.1 can be reached."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sh14x", b"lo", _UP))


def check_there_is_no_way_out() -> None:
    """Or end the program."""
    with suppress(OSError):
        socket.create_connection(("192.0.2.1", 443), 1)
        raise SystemExit("there is a way out of here")


class Neighbour:
    """Another machine, as far as the network is concerned: a namespace with a cable to ours.

    Attributes:
        ours, theirs: the addresses of the two ends.
    """

    ours, theirs = "10.77.0.1", "10.77.0.2"
    interface = "cable0"

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        pid = str(process.pid)
        ip("link", "add", self.interface, "type", "veth", "peer", "name", "eth0", "netns", pid)
        ip("address", "add", f"{self.ours}/24", "dev", self.interface)
        ip("link", "set", self.interface, "up")
        for words in (
            "link set lo up",
            f"address add {self.theirs}/24 dev eth0",
            "link set eth0 up",
            f"route add default via {self.ours}",
        ):
            self.run("ip", *words.split())

    def run(self, *command: str | Path) -> bytes:
        """What a program there prints.

        Raises:
            subprocess.CalledProcessError: it failed.
        """
        return subprocess.run(
            ["nsenter", "--net", "--target", str(self._process.pid), *command],
            stdout=subprocess.PIPE,
            timeout=60,
            check=True,
        ).stdout


@contextmanager
def neighbour() -> Iterator[Neighbour]:
    """One for a `with` block."""
    # it says a line once it is in its own namespace, and stays until its input ends
    there = ["unshare", "--net", "sh", "-c", "echo there && exec cat"]
    with subprocess.Popen(there, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"there\n"
            yield Neighbour(process)
        finally:
            process.kill()


def ip(*words: str) -> None:
    """`ip WORDS`, here."""
    run(["ip", *words])


def run(command: Sequence[str | os.PathLike[str]], *, stdin: str = "") -> None:
    """A program that must not fail."""
    subprocess.run(command, input=stdin, text=True, timeout=60, check=True)
