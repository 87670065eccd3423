"""The real command, with one function made to fail."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.end_to_end.commands import Child

_COMMAND = """
import importlib, sys

from replayproxy import proxy
from replayproxy.cli import main

where, name, nth = sys.argv[1], sys.argv[2], int(sys.argv[3])

def break_it(module):
    *path, last = name.split(".")
    owner = module
    for part in path:
        owner = getattr(owner, part)
    original, calls = getattr(owner, last), 0

    def faulty(*arguments, **more):
        nonlocal calls
        calls += 1
        if calls == nth or not nth:
            raise RuntimeError("injected")
        return original(*arguments, **more)

    setattr(owner, last, faulty)

if where == "recorder":
    load_addon = proxy.load_addon

    def load_broken(addon):
        module = load_addon(addon)
        break_it(module)
        return module

    proxy.load_addon = load_broken
else:
    break_it(importlib.import_module(where))
main(sys.argv[4:])
"""


@contextmanager
def faulty(fault: tuple[str, str], nth: int, *arguments: str, cwd: Path) -> Iterator[Child]:
    """`replayproxy ARGUMENTS` for a `with` block, with a fault.

    Args:
        fault: a module ("recorder" is the addon), and the name of a function in it.
        nth: the call at which it fails; 0: at each.
    """
    command = [sys.executable, "-c", _COMMAND, *fault, str(nth), *arguments]
    child = Child([*command, "--listen", "127.0.0.1:0"], cwd=cwd, announces="listening on ")
    try:
        yield child
    finally:
        child.stop()
