"""A file that is there while a proxy of ours takes requests: for scripts, CI and containers."""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from replayproxy.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """An API that clients find here.

    Attributes:
        url: where: the path of its base URL comes after this.
        upstream: its own URL.
    """

    url: str
    upstream: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """What others need to know of a proxy that listens.

    Attributes:
        command: `record` or `replay`.
        url: where it listens; base URLs begin with it.
        proxy_url: the same for clients that take it for a proxy; None: it is none.
        ca_file: the authority that intercepted clients have to trust; None: nothing is.
        apis: those that were named.
    """

    command: str
    url: str
    proxy_url: str | None
    ca_file: str | None
    pid: int
    db: str
    cassette: str
    apis: tuple[Served, ...] = ()


@contextmanager
def written(path: Path | None, ready: Ready) -> Iterator[None]:
    """Have it there, whole, for the length of a `with` block.

    Raises:
        UsageError: it cannot be written.
    """
    if path is None:
        yield
        return
    try:
        with tempfile.NamedTemporaryFile(
            "w", dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as file:
            file.write(json.dumps(asdict(ready), indent=2) + "\n")
        os.replace(file.name, path)  # noqa: PTH105 (a temporary file's name is text)
    except OSError as error:
        raise UsageError(f"--ready-file {path} cannot be written: {error.strerror}") from error
    try:
        yield
    finally:
        if _is_of(ready.pid, path):
            path.unlink(missing_ok=True)


def read(path: Path) -> Ready:
    """What it says.

    Raises:
        UsageError: there is none, or it is something else.
    """
    try:
        said = json.loads(path.read_text())
        return Ready(**{**said, "apis": tuple(Served(**api) for api in said.get("apis", ()))})
    except OSError as error:
        raise UsageError(
            f"--ready-file {path} cannot be read: {error.strerror}. Does the proxy run?"
        ) from error
    except (ValueError, TypeError, AttributeError) as error:
        raise UsageError(f"--ready-file {path} is not one of ours: {error}") from error


def _is_of(pid: int, path: Path) -> bool:
    """Another proxy may have taken it over."""
    try:
        return read(path).pid == pid
    except UsageError:
        return False
