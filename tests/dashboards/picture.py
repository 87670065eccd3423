"""The picture of the overview in the README: `python -m tests.dashboards.picture [FILE]`.

A database of 90 days (`tests.benchmarks.ninety_days`), the real dashboard, a real browser.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.benchmarks import ninety_days
from tests.dashboards.site import HOME
from tests.end_to_end import chromium
from tests.end_to_end.commands import serving

PICTURE = Path(__file__).parents[2] / "docs" / "overview.png"
_EXCHANGES = 30_000
_SIZE = "1280,1356"


def take(target: Path) -> None:
    """Draw it, and write it there as PNG."""
    browser = chromium.find()
    if browser is None:
        sys.exit("there is no Chromium here")
    target.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ninety_days.make(folder / "picture.db", _EXCHANGES)
        with serving("dashboard", "--db", str(folder / "picture.db"), cwd=folder) as child:
            command = [
                browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                f"--user-data-dir={folder / 'profile'}", f"--window-size={_SIZE}",
                f"--screenshot={target}", f"{child.url}{HOME}?range=30d",
            ]  # fmt: skip
            subprocess.run(command, check=True, capture_output=True, timeout=120)


if __name__ == "__main__":
    take(Path(sys.argv[1]) if sys.argv[1:] else PICTURE)
