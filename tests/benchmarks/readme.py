"""The README's figures, from a run of `make bench`: `python -m tests.benchmarks.readme [FILE]`."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.figures import as_cell
from tests.docs.readme import README, with_part

FIGURES = Path("build/benchmarks/figures.json")
_COLUMNS = ("figure", "ours", "reference", "ratio", "target", "reference is")


def section(found: Mapping[str, Any]) -> str:
    """What stands between the README's marks: the stream's table, and all that has a target."""
    parts = [_table(rows) for rows in found["tables"].values()]
    return "\n\n".join([*parts, _table(list(_rows(found["figures"])))])


def _rows(figures: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for figure in figures:
        if figure["target"]:
            cells = ("what", "ours", "reference", "ratio", "target", "against")
            row = dict(zip(_COLUMNS, (figure[cell] for cell in cells), strict=True))
            yield row | ({"target": f"{row['target']} missed"} if figure["met"] is False else {})


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    lines = [tuple(rows[0]), ("---",) * len(rows[0])]
    lines += [tuple(map(as_cell, row.values())) for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main(path: Path) -> None:
    """Write the README anew."""
    found = json.loads(path.read_text())
    README.write_text(with_part(README.read_text(), "figures", section(found)))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else FIGURES)
