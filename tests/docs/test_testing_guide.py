"""TESTING.md is true: its cassettes can be read."""

import re
from pathlib import Path

import pytest

from replayproxy.cassettes import loads

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
