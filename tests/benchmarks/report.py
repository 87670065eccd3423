"""What the benchmarks have in common: their options, and their figures as JSON."""

import argparse
import json
from pathlib import Path
from typing import Any


def options(description: str | None, *, rounds: int) -> argparse.Namespace:
    """`--rounds N` and `--json FILE`."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--json", type=Path, metavar="FILE")
    return parser.parse_args()


def write(path: Path | None, rows: list[dict[str, Any]]) -> None:
    """The figures as JSON, if a file was named."""
    if path:
        path.write_text(json.dumps(rows, indent=2) + "\n")
