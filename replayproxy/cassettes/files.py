"""Cassette files: read with care, written whole or not at all."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from replayproxy.cassettes import data_yaml, text
from replayproxy.cassettes.text import Loaded
from replayproxy.cassettes.track import Cassette
from replayproxy.errors import CassetteError

SUFFIX = ".yaml"


def read(path: Path, *, check: bool = True) -> Loaded:
    """What the file says; `check=False` lets a wrong checksum pass.

    Raises:
        CassetteError: there is none, or it cannot be used.
    """
    try:
        if path.stat().st_size > data_yaml.MAX_CHARACTERS:
            raise CassetteError(path=path, reason="it is larger than a cassette can be (64 MiB)")
        return text.loads(path.read_text(encoding="utf-8"), check=check)
    except OSError as error:
        raise CassetteError(path=path, reason=error.strerror or str(error)) from error
    except UnicodeError as error:
        raise CassetteError(path=path, reason="it is not UTF-8") from error
    except CassetteError as error:
        raise CassetteError(
            path=path, reason=error.reason, hint=error.hint.replace("FILE", str(path))
        ) from error


def write(path: Path, cassette: Cassette) -> None:
    """Put a cassette there, in place of the one that is there.

    Raises:
        CassetteError: it cannot be written; what was there is as it was.
    """
    replace_bytes(path, text.dumps(cassette).encode())


def replace_bytes(path: Path, content: bytes, *, private: bool = False) -> None:
    """Write a file beside its place and move it there.

    Args:
        private: for its owner only; else for whoever the umask lets.

    Raises:
        CassetteError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        new = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            if not private:
                new.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask())
            new.replace(path)
        finally:
            with suppress(FileNotFoundError):
                new.unlink()
    except OSError as error:
        raise CassetteError(
            path=path, reason=f"it cannot be written: {error.strerror or error}"
        ) from error


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
