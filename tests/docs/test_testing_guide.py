"""TESTING.md is true: its cassettes can be read."""

import inspect
import re
from pathlib import Path

import pytest

from replayproxy import pytest_plugin
from replayproxy.cassettes import loads
from replayproxy.testing.exchanges import SeenExchange
from replayproxy.testing.session import CassetteSession
from replayproxy.testing.settings import Mode

TEXT = (Path(__file__).parents[2] / "TESTING.md").read_text()
CASSETTES = [
    block
    for block in re.findall(r"^```yaml\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    if "replayproxy-cassette" in block
]


@pytest.mark.parametrize("text", CASSETTES)
def test_every_cassette_of_the_guide_can_be_read(text: str) -> None:
    (track,) = loads(text, check=False).cassette.tracks

    assert track.body
    assert track.exchange.request.body


def test_the_guide_shows_one_that_was_recorded_and_one_that_was_written_by_hand() -> None:
    assert [loads(text, check=False).sealed for text in CASSETTES] == [True, False]


def test_the_guide_knows_every_option_mode_and_property() -> None:
    source = inspect.getsource(pytest_plugin)
    options = re.findall(r'"(replayproxy_\w+)",\n?', source) + [
        f"replayproxy_{name}" for name in ("ignore", "normalize", "match_on")
    ]
    members = [
        *(name for name in vars(CassetteSession) if not name.startswith("_")),
        *(name for name in vars(SeenExchange) if not name.startswith("_")),
    ]
    unsaid = {"close", "result", "model", "reasoning", "error"}

    told = set(re.findall(r"`(\w+(?:-\w+)*)(?:\(\))?`", TEXT))
    assert {*options, *Mode, *pytest_plugin.FIXTURES[1:]} <= told
    assert {*members} - unsaid <= told
    assert {"base_urls", "api_key", "env", "mode", "chunks", "cost"} <= told
