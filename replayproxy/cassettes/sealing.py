"""The checksum of a cassette that was edited on purpose: renewed, and nothing else touched."""

import re
from pathlib import Path

from replayproxy.cassettes import data_yaml, text
from replayproxy.cassettes.files import read, replace_bytes
from replayproxy.errors import CassetteError

_CHECKSUM = re.compile(r"^checksum:[^\r\n]*", re.MULTILINE)
_VERSION = re.compile(rf"^{text.VERSION_KEY}:[^\r\n]*", re.MULTILINE)


def seal(path: Path) -> bool:
    """Write the checksum of what the file says now; False if it was right.

    Raises:
        CassetteError: it is no cassette, or what it says makes no sense.
    """
    read(path, check=False)
    # as bytes: the file keeps its line endings
    found = path.read_bytes().decode()
    data = data_yaml.parse(found)
    assert isinstance(data, dict), "it was read as a cassette"
    line = f"checksum: {text.checksum(data)}"
    if _CHECKSUM.search(found):
        sealed = _CHECKSUM.sub(line, found, count=1)
    else:
        newline = "\r\n" if "\r\n" in found else "\n"
        sealed = _VERSION.sub(lambda version: f"{version[0]}{newline}{line}", found, count=1)
    if sealed == found:
        return False
    if data_yaml.parse(sealed) != {**data, "checksum": text.checksum(data)}:
        raise CassetteError(path=path, reason="its checksum is not a line of its own")
    replace_bytes(path, sealed.encode())
    return True
