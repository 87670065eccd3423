"""Where our child processes are connected to. Linux tells it in /proc; others nowhere."""

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")
_OPEN = {"01", "02", "08"}  # established, on the way, left by the other side

type Address = tuple[str, int]


def of_children(pid: int) -> set[Address]:
    """The far ends of all TCP connections of a process's descendants, now."""
    inodes = {inode for child in _descendants(pid) for inode in _sockets(child)}
    return {address for inode, address in _connections() if inode in inodes} if inodes else set()


def _descendants(pid: int) -> set[int]:
    parents: dict[int, int] = {}
    for folder in _PROC.glob("[0-9]*"):
        with suppress(OSError, ValueError, IndexError):
            # the name in parentheses can have spaces in it
            parents[int(folder.name)] = int(
                (folder / "stat").read_text().rpartition(")")[2].split()[1]
            )
    found = {pid}
    while more := {c for c, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


def _sockets(pid: int) -> Iterator[str]:
    with suppress(OSError):
        for file in (_PROC / str(pid) / "fd").iterdir():
            with suppress(OSError):
                target = os.readlink(file)  # noqa: PTH115 (it is no path)
                if target.startswith("socket:["):
                    yield target[8:-1]


def _connections() -> Iterator[tuple[str, Address]]:
    for name in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in (_PROC / "net" / name).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] in _OPEN:
                    yield fields[9], _address(fields[2])


def _address(text: str) -> Address:
    """As the kernel spells it: words of the host's byte order."""
    host, _, port = text.partition(":")
    words = [int(host[i : i + 8], 16) for i in range(0, len(host), 8)]
    packed = struct.pack(f"={len(words)}I", *words)
    if len(packed) == 4:
        return socket.inet_ntop(socket.AF_INET, packed), int(port, 16)
    spelled = socket.inet_ntop(socket.AF_INET6, packed)
    return spelled.removeprefix("::ffff:") if "." in spelled else spelled, int(port, 16)
