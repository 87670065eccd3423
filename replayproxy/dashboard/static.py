"""The style and the script, read once; a URL names their content, so that it can be cached."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

_TYPES = {".css": "text/css", ".js": "text/javascript"}


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One file; `version` changes with its text."""

    text: str
    content_type: str
    version: str


def read_static(folder: Path) -> dict[str, StaticFile]:
    """Every file of the folder that is a style or a script, by name."""
    return {path.name: _read(path) for path in sorted(folder.iterdir()) if path.suffix in _TYPES}


def _read(path: Path) -> StaticFile:
    text = path.read_text(encoding="utf-8")
    version = hashlib.sha256(text.encode()).hexdigest()[:12]
    return StaticFile(text, _TYPES[path.suffix], version)
