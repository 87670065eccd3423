"""Stock Datasette with our folder, as dashboards/README.md says."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from replayproxy.shipped import dashboards_path
from tests.dashboards.sample import varied, write
from tests.dashboards.site import HOME

FOLDER = dashboards_path()


def documented_command() -> list[str]:
    text = (FOLDER / "README.md").read_text()
    found = re.search(r"```\n(datasette .*?)```", text, re.DOTALL)
    assert found
    words = shlex.split(found[1].replace("\\\n", " "))
    return [word.replace("dashboards/", f"{FOLDER}/") for word in words]


def get(folder: Path, url: str) -> subprocess.CompletedProcess[str]:
    program, *arguments = documented_command()
    assert program == "datasette"
    return subprocess.run(
        [sys.executable, "-m", "datasette", *arguments, "--get", url],
        cwd=folder,
        env={**os.environ, "PYTHONWARNINGS": "default"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_documented_command_shows_the_same_pages(tmp_path: Path) -> None:
    write(tmp_path / "replayproxy.db", *varied())

    assert "Cost and latency" in get(tmp_path, HOME).stdout
    assert "You answer questions about the weather." in get(tmp_path, f"{HOME}/exchange/1").stdout
    assert 'class="rows-and-columns rp-exchanges"' in get(tmp_path, "/replayproxy/exchanges").stdout


def test_the_plugin_guards_it_by_itself(tmp_path: Path) -> None:
    write(tmp_path / "replayproxy.db", *varied())

    refused = get(tmp_path, "/replayproxy.json?sql=select+value+from+settings")
    rows = get(tmp_path, "/replayproxy/bodies.json?_shape=array&_size=1")

    assert refused.returncode == 1
    assert '"data":null' in rows.stdout.replace(" ", "")
