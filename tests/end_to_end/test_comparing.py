"""Live against replay: an exchange, and what was recorded from a replay of it."""

import json
import re
from collections.abc import Iterator
from urllib.request import Request, urlopen

import pytest
from datasette.database import Database

from tests.dashboards.sample import TOOLS_REQUEST, Said, tool_answer, write
from tests.dashboards.site import HOME, Site, site
from tests.end_to_end.commands import listed, serving


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A dashboard on a recording, beside a recording of its replay at five times the speed."""
    folder = tmp_path_factory.mktemp("live")
    first, other = folder / "first", folder / "other"
    first.mkdir()
    other.mkdir()
    path = write(first / "replayproxy.db", Said(request=TOOLS_REQUEST, chunks=tool_answer()))
    with (
        serving("replay", "--speed", "5", cwd=first) as replay,
        serving("record", "--upstream", replay.url, cwd=other) as record,
    ):
        ask(record.url)
    assert len(listed(other)) == 1
    with site(path) as opened:
        database = Database(opened.datasette, str(other / "replayproxy.db"), is_mutable=True)
        opened.datasette.add_database(database, name="other")
        yield opened


def ask(url: str) -> None:
    body = json.dumps(TOOLS_REQUEST).encode()
    headers = {"content-type": "application/json"}
    with urlopen(Request(f"{url}/v1/chat/completions", data=body, headers=headers)) as response:
        assert b"[DONE]" in response.read()


def test_the_replay_is_the_same_bytes_at_another_time(compared: Site) -> None:
    text = compared.text(f"{HOME}/compare?a=1&b=1&b_database=other")

    assert "B was recorded from a replay, which answered it from an exchange 1." in text
    assert "Byte for byte the same response" in text  # what came at once may come in one chunk
    assert "reasoning the same" in text
    assert re.search(r"duration 2\.10 s \S+ m?s ▼ −", text)


def test_the_replayed_exchange_says_how_it_was_played(compared: Site) -> None:
    text = compared.text(f"{HOME}/exchange/1")

    assert "Replays of this exchange" in text
    assert re.search(r"UTC took recorded .* \S+ m?s 2\.10 s \d", text)
    assert "replayproxy.replayed true" in text
