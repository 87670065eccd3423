"""Whether a folder of cassettes is in order: what to say of each file.

Nothing is run: which cassettes a test uses is told from its source.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

from replayproxy.cassettes import heads, text
from replayproxy.cassettes.files import read
from replayproxy.cassettes.settling import settled
from replayproxy.cassettes.text import Loaded
from replayproxy.cassettes.track import Cassette, Track
from replayproxy.errors import CassetteError
from replayproxy.matching import match_key

SUFFIXES = (".yaml", ".yml")
_LOOKED_AT = 4096


class Kind(StrEnum):
    """What can be wrong with a cassette."""

    FORMAT = "format"
    SECRET = "secret"  # noqa: S105 (the name of a problem)
    UNUSED = "unused"
    OLD = "old"
    DUPLICATE = "duplicate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong with a cassette."""

    path: Path
    kind: Kind
    message: str


def found_in(places: Iterable[Path]) -> list[Path]:
    """The cassettes among these files, and in these folders.

    Of a folder, only files that begin like a cassette, ours or one of VCR.py.
    """
    found: list[Path] = []
    for place in places:
        if place.is_dir():
            inside = sorted(p for p in place.rglob("*") if p.suffix in SUFFIXES)
            found += [path for path in inside if _looks_like_one(path)]
        else:
            found.append(place)
    return list(dict.fromkeys(found))


def problems(paths: Iterable[Path], *, older_than: date | None = None) -> Iterator[Problem]:
    """What is wrong with these files.

    Args:
        older_than: what was last recorded before this day is too old.
    """
    same: dict[tuple[object, ...], tuple[Path, Cassette]] = {}
    for path in paths:
        try:
            loaded = read(path)
        except CassetteError as error:
            told = f"{error.reason}. {error.hint}".strip()
            yield Problem(path=path, kind=Kind.FORMAT, message=told)
            continue
        yield from _of_file(path, loaded, older_than)
        keys = tuple(match_key(track.exchange.request) for track in loaded.cassette.tracks)
        other, cassette = same.setdefault(keys, (path, loaded.cassette))
        if other != path and settled(loaded.cassette, cassette).tracks == cassette.tracks:
            yield Problem(path=path, kind=Kind.DUPLICATE, message=f"says the same as {other}")


def _of_file(path: Path, loaded: Loaded, older_than: date | None) -> Iterator[Problem]:
    cassette = loaded.cassette
    for number, kinds in text.key_kinds(cassette).items():
        message = f"exchange {number}: a body seems to hold {', '.join(sorted(kinds))}"
        yield Problem(path=path, kind=Kind.SECRET, message=message)
    for number, track in enumerate(cassette.tracks, 1):
        if name := _not_redacted(track):
            message = f"exchange {number}: {name} is not {heads.REDACTED}"
            yield Problem(path=path, kind=Kind.SECRET, message=message)
    if older_than and cassette.recorded and cassette.recorded < older_than:
        message = f"recorded on {cassette.recorded}; record it again"
        yield Problem(path=path, kind=Kind.OLD, message=message)
    if not is_used(path):
        yield Problem(path=path, kind=Kind.UNUSED, message="no test seems to use it")


def _not_redacted(track: Track) -> str | None:
    request, head = track.exchange.request, track.exchange.head
    if heads.hidden(request).query != request.query:
        return "a parameter of the URL"
    for headers in (request.headers, head.headers if head else ()):
        for (name, value), (_, hidden) in zip(headers, heads.hidden_headers(headers), strict=True):
            if value != hidden:
                return f"the header {name}"
    return None


def is_used(path: Path) -> bool:
    """Whether a test of the project names this cassette, or is named by it.

    `tests/cassettes/test_chat/test_answer[a].yaml` is that of `test_answer` in
    `tests/test_chat.py`; any other is used if some source says its name.
    """
    function = path.stem.partition("[")[0].rpartition(".")[2]
    project = _project(path)
    tests = project / f"{path.parent.name}.py"
    if tests.is_file() and re.search(rf"\bdef {re.escape(function)}\b", _source(tests)):
        return True
    return _says(project, path)


def _says(folder: Path, path: Path) -> bool:
    names = {path.stem, f"{path.parent.name}/{path.stem}"}
    quoted = [f"{quote}{name}{quote}" for name in names for quote in "\"'"]
    return any(
        name in _source(source)
        for source in sorted(folder.rglob("*.py"))
        for name in quoted
        if not any(part.startswith(".") for part in source.relative_to(folder).parts)
    )


def _project(path: Path) -> Path:
    """The folder that the folder of cassettes is in."""
    parents = list(path.resolve().parents)
    named = [p.parent for p in parents if p.name == "cassettes"]
    return named[0] if named else parents[0]


@lru_cache(maxsize=256)
def _source(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def _looks_like_one(path: Path) -> bool:
    with path.open("rb") as file:
        start = file.read(_LOOKED_AT)
    return text.VERSION_KEY.encode() in start or b"interactions:" in start
