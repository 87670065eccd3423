"""Which file is the cassette of which test: as pytest-recording names them, for whoever moves."""

import hashlib
import re
from pathlib import Path

from replayproxy.cassettes.files import SUFFIX

FOLDER = "cassettes"
_UNFIT = re.compile(r"[<>:\"'/\\|?*%\x00-\x1f]")
_MOST = 120


def cassette_path(folder: Path, name: str, *, cassettes: str | Path = FOLDER) -> Path:
    """The cassette of this name for the tests in a folder.

    >>> cassette_path(Path("tests"), "shared/chat").as_posix()
    'tests/cassettes/shared/chat.yaml'
    """
    *folders, last = name.split("/")
    parts = [fit(part) for part in folders if part not in {"", ".", ".."}]
    return folder.joinpath(cassettes, *parts, fit(last) + SUFFIX)


def name_of(module: str, test: str, *, class_name: str | None = None) -> str:
    """The name of a test's own cassette.

    >>> name_of("test_chat", "test_it[a/b]", class_name="TestIt")
    'test_chat/TestIt.test_it[a-b]'
    """
    return f"{module}/{fit(f'{class_name}.{test}' if class_name else test)}"


def fit(text: str) -> str:
    """Text as a file can be called; what is too long ends in a digest of it.

    >>> fit("test_it[http://x?]"), len(fit("x" * 999))
    ('test_it[http---x-]', 120)
    """
    found = _UNFIT.sub("-", text)
    if len(found.encode()) <= _MOST:
        return found
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    short = found.encode()[: _MOST - 13].decode("utf-8", "ignore")
    return f"{short}-{digest}"
