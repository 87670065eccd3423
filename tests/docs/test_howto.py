"""HOWTO.md is true: its command lines can be parsed, its variables and files exist."""

import re
from pathlib import Path

import pytest

from replayproxy.cli import main
from tests.docs.readme import README
from tests.docs.test_readme import parse, work_in

TEXT = (README.parent / "HOWTO.md").read_text()
LINES = {
    found.strip().removesuffix("&").strip()
    for block in re.findall(r"^```sh\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    for found in re.findall(r"(?:^|\$\()(replayproxy [^\n)]*)", block, re.MULTILINE)
}


@pytest.mark.parametrize("line", sorted(LINES))
def test_every_command_line_can_be_parsed(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work_in(tmp_path, monkeypatch)

    parse(main, line)


def test_the_readme_leads_there() -> None:
    assert "[HOWTO.md](HOWTO.md)" in README.read_text()
    assert len(LINES) > 20


@pytest.mark.parametrize("path", sorted(set(re.findall(r"\]\(([\w./]+)\)", TEXT))))
def test_the_files_that_it_names_are_there(path: str) -> None:
    assert (README.parent / path).is_file()
