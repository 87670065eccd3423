"""Which kind of file it is: told by its content when read, by its name when written."""

from enum import StrEnum
from pathlib import Path
from types import ModuleType

from replayproxy import cassettes
from replayproxy.cassettes.data_yaml import MAX_CHARACTERS
from replayproxy.cassettes.text import VERSION_KEY
from replayproxy.errors import CassetteError, MissingExtraError, UsageError
from replayproxy.transfer import har, vcr
from replayproxy.transfer.foreign import Imported

_SQLITE = b"SQLite format 3\0"
_MAX_FLOW_BYTES = 1 << 30


class Format(StrEnum):
    """Kinds of files."""

    CASSETTE = "cassette"
    SQLITE = "sqlite"
    HAR = "har"
    FLOWS = "flows"
    VCR = "vcr"


SUFFIXES = {
    ".yaml": Format.CASSETTE,
    ".yml": Format.CASSETTE,
    ".har": Format.HAR,
    ".flow": Format.FLOWS,
    ".flows": Format.FLOWS,
    ".mitm": Format.FLOWS,
    ".db": Format.SQLITE,
    ".sqlite": Format.SQLITE,
}


def of_name(path: Path) -> Format:
    """The format of a file that shall be written.

    Raises:
        UsageError: the name does not say.
    """
    found = SUFFIXES.get(path.suffix.lower())
    if found is None:
        raise UsageError(
            f"{path}: its name does not say which format it shall be. "
            f"Use --format, or a name that ends with one of {', '.join(SUFFIXES)}."
        )
    return found


def of_content(path: Path) -> Format:
    """The format of a file that is there.

    Raises:
        CassetteError: it cannot be read, or is of no known format.
    """
    start = _bytes(path, 65536)
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith(_SQLITE):
        return Format.SQLITE
    if VERSION_KEY.encode() in start:
        return Format.CASSETTE
    if text.startswith(b"{") and b'"log"' in start:
        return Format.HAR
    if b"interactions" in start:
        return Format.VCR
    if text[:1].isdigit() and b":" in text[:12]:
        return Format.FLOWS
    raise CassetteError(
        path=path,
        reason="it is neither a cassette (ours or VCR.py's), nor a database, HAR or flow file",
    )


def load(path: Path, kind: Format) -> Imported:
    """The exchanges of a file that is no database.

    Raises:
        CassetteError: it cannot be read.
        MissingExtraError: mitmproxy is needed, and not installed.
    """
    if kind is Format.CASSETTE:
        loaded = cassettes.read(path)
        imported = Imported(tracks=list(loaded.cassette.tracks))
        if loaded.inexact:
            numbers = ", ".join(map(str, loaded.inexact))
            imported.unknown = (
                f"not the exact compressed bytes of {numbers}: another zlib made them"
            )
        return imported
    data = _bytes(path, _MAX_FLOW_BYTES if kind is Format.FLOWS else 4 * MAX_CHARACTERS)
    try:
        match kind:
            case Format.HAR:
                return har.loads(data.decode("utf-8", "replace"))
            case Format.VCR:
                return vcr.loads(data.decode("utf-8", "replace"))
            case _:
                return _from_flows(data)
    except CassetteError as error:
        raise CassetteError(path=path, reason=error.reason, hint=error.hint) from error


def dump(tracks: list[cassettes.Track], kind: Format) -> bytes:
    """A file of these exchanges, HAR or flows.

    Raises:
        MissingExtraError: mitmproxy is needed, and not installed.
    """
    if kind is Format.HAR:
        return har.dumps(tracks).encode()
    data: bytes = _flows().dumps(tracks)
    return data


def _from_flows(data: bytes) -> Imported:
    imported: Imported = _flows().loads(data)
    return imported


def _flows() -> ModuleType:
    try:
        from replayproxy.transfer import mitmproxy_flows
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            feature="a flow file", extra="proxy", module=error.name or "mitmproxy"
        ) from error
    return mitmproxy_flows


def _bytes(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(most)
    except OSError as error:
        raise CassetteError(path=path, reason=error.strerror or str(error)) from error
