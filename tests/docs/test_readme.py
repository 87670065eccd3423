"""The README is true: its tables are generated, its commands and flags exist."""

import re
import shlex
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from mitmproxy.proxy.mode_specs import ProxyMode

from replayproxy.capture_modes import entrances
from replayproxy.cli import main
from tests.docs.readme import ADDONS, README, generated, generated_for_addons

TEXT = README.read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
(PRICE_FILE,) = re.findall(r"^```toml\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
MODES = (README.parent / "MODES.md").read_text()


def command_lines(blocks: list[str]) -> list[str]:
    """Those of our commands, without the variables before them and the words behind."""
    return [
        line[line.index("replayproxy ") :].partition(" #")[0].strip()
        for block in blocks
        for line in block.splitlines()
        if re.match(r"([A-Z_]+=\S+ )*replayproxy ", line)
    ]


COMMAND_LINES = command_lines(BLOCKS)
LINES_OF_MODES = command_lines(re.findall(r"^```sh\n(.*?)^```", MODES, re.DOTALL | re.MULTILINE))


def test_the_tables_of_options_and_spans_are_generated_from_the_code() -> None:
    assert generated(TEXT) == TEXT, "python -m tests.docs.readme"


def test_so_are_the_tables_of_the_addons_options() -> None:
    text = ADDONS.read_text()

    assert generated_for_addons(text) == text, "python -m tests.docs.readme"


def test_the_first_command_stands_at_the_top() -> None:
    assert "make demo" in TEXT.splitlines()[:25]


def test_every_command_is_in_the_readme() -> None:
    mentioned = {line.split()[1] for line in COMMAND_LINES}

    assert mentioned == set(main.commands)


def test_the_example_of_a_test_is_the_one_that_is_run() -> None:
    example = (README.parent / "tests" / "example" / "test_chat_app.py").read_text()

    (shown,) = re.findall(r"^```python\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)

    assert shown in example


@pytest.mark.parametrize("line", dict.fromkeys([*COMMAND_LINES, *LINES_OF_MODES]))
def test_every_command_line_of_the_readme_can_be_parsed(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work_in(tmp_path, monkeypatch)

    parse(main, line)


def work_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have there what the examples name."""
    (folder / "prices.toml").write_text(PRICE_FILE)
    (folder / "tests").mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("REPLAYPROXY_CA_FOLDER", "")  # an option sets it: put back at the end


def parse(command: click.Command, line: str) -> None:
    """Parse a command line as it would be run; what a shell does with its output is not ours."""
    _, *arguments = shlex.split(re.split(r" [|>] ", line)[0])
    while isinstance(command, click.Group) and arguments and not arguments[0].startswith("-"):
        command = command.commands[arguments.pop(0)]
    with click.Context(command, info_name=command.name) as context:
        command.parse_args(context, arguments)


def commands(group: click.Group, *before: str) -> Iterator[tuple[str, ...]]:
    """The words of every command, the groups' among them."""
    yield before
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, *before, name)
        else:
            yield (*before, name)


@pytest.mark.parametrize("words", list(commands(main)), ids=" ".join)
def test_every_help_ends_with_examples_that_can_be_parsed(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work_in(tmp_path, monkeypatch)
    command: click.Command = main
    for word in words:
        assert isinstance(command, click.Group)
        command = command.commands[word]
    *_, examples = (command.help or "").split("Examples:\n")
    lines = [line.strip() for line in examples.splitlines()]
    found = [line for line in lines if re.match(r"(\w+=\S+ )*replayproxy ", line)]
    found += re.findall(r"[$<]\((replayproxy [^)]*)\)", examples)

    assert "Examples:\n" in (command.help or "")
    assert any(" ".join(("replayproxy", *words)) in line for line in found)
    for line in found:
        parse(main, re.sub(r"^(\w+=\S+ )+", "", re.split(r"  +", line)[0]))


@pytest.mark.parametrize("line", dict.fromkeys(line for line in LINES_OF_MODES if "mode" in line))
def test_every_capture_mode_of_the_guide_is_one(line: str) -> None:
    words = shlex.split(line)
    said = {
        option: [value for name, value in pairwise(words) if name == option]
        for option in ("--mode", "--upstream")
    }

    found = entrances(("127.0.0.1", 8080), modes=said["--mode"], upstreams=said["--upstream"])

    assert [ProxyMode.parse(entrance.spec).type_name for entrance in found] == [
        entrance.mode for entrance in found
    ]


@pytest.mark.parametrize("name", [None, *main.commands])
def test_every_help_page_teaches_and_fits_a_terminal(name: str | None) -> None:
    shown = CliRunner().invoke(main, [name, "--help"] if name else ["--help"])

    assert shown.exit_code == 0
    assert len(shown.output.splitlines()) > 8
    assert max(map(len, shown.output.splitlines())) <= 80
    assert all(f"  {other}" in shown.output for other in ([] if name else main.commands))
