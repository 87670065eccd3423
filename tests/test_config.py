"""The one table of options."""

from collections.abc import Sequence

import pytest

from replayproxy.config import CASSETTE, DB, IGNORE, NO_BODIES, OPTIONS, REPEAT, SPEED, Option
from replayproxy.model import DEFAULT_CASSETTE
from replayproxy.playback import Repeat, parse_speed


def test_an_option_has_one_name_for_each_place_it_can_be_set() -> None:
    option = Option(name="on_miss", default="error", metavar="X", help="")

    assert (option.flag, option.setting) == ("--on-miss", "replayproxy_on_miss")
    assert (DB.flag, DB.setting, DB.env) == ("--db", "replayproxy_db", "REPLAYPROXY_DB")


def test_the_defaults_are_what_the_code_means_by_them() -> None:
    assert DB.default == "replayproxy.db"
    assert CASSETTE.default == DEFAULT_CASSETTE
    assert parse_speed(SPEED.default) == 1
    assert Repeat(REPEAT.default) is Repeat.LAST
    assert REPEAT.choices == tuple(Repeat)


def test_mitmproxy_is_told_the_type_of_an_option() -> None:
    assert IGNORE.as_mitmproxy == ("replayproxy_ignore", Sequence[str], [], IGNORE.help, None)
    assert NO_BODIES.as_mitmproxy[1:3] == (bool, False)
    assert REPEAT.as_mitmproxy[1:] == (str, "last", REPEAT.help, ("last", "cycle", "error"))


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_every_option_can_be_explained(option: Option) -> None:
    assert option.help.endswith(".")
    assert bool(option.metavar) is not option.is_flag
    assert option.recording or option.replaying
    assert not option.choices or option.default in option.choices


def test_names_are_unique_and_the_rhythm_is_for_replays() -> None:
    assert len({option.name for option in OPTIONS}) == len(OPTIONS)
    assert [option.name for option in OPTIONS if not option.recording] == [
        "speed",
        "max_gap",
        "jitter",
        "repeat",
        "ignore",
        "normalize",
        "match_on",
        "no_replay_log",
    ]
