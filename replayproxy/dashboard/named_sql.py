"""The queries behind the charts: `dashboards/queries/*.sql`, each known by its file's name.

A file begins with comment lines, its description, the first of them its title.
Every parameter is text, "" when it is not given.
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedQuery:
    """One query, as it stands in its file."""

    name: str
    title: str
    description: str
    sql: str


def read_queries(folder: Path) -> dict[str, NamedQuery]:
    """All queries of a folder, by name."""
    return {path.stem: _read(path) for path in sorted(folder.glob("*.sql"))}


def _read(path: Path) -> NamedQuery:
    text = path.read_text(encoding="utf-8").strip()
    comment: list[str] = []
    lines = text.splitlines()
    while lines and lines[0].startswith("--"):
        comment.append(lines.pop(0).removeprefix("--").strip())
    return NamedQuery(
        name=path.stem,
        title=comment[0] if comment else path.stem,
        description=" ".join(comment[1:]),
        sql="\n".join(lines).strip(),
    )
