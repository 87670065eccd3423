"""`replayproxy.toml`: rules for all replays of a folder."""

from pathlib import Path

import pytest

from replayproxy.errors import UsageError
from replayproxy.matching import EXACT, MatchRules
from replayproxy.settings_file import match_rules


def test_without_a_file_only_the_options_count(tmp_path: Path) -> None:
    assert match_rules(tmp_path / "a.db") == EXACT
    assert match_rules(tmp_path / "a.db", ignore=["$.id"], on=["host"]) == MatchRules(
        ignore=("$.id",), on=("host",)
    )


def test_the_rules_of_the_file_come_before_those_of_the_options(tmp_path: Path) -> None:
    (tmp_path / "replayproxy.toml").write_text(
        """
        [match]
        ignore = ["$.a"]
        normalize = ['v\\d+=v']
        on = ["host"]
        """
    )

    rules = match_rules(tmp_path / "a.db", ignore=["$.b"], normalize=["x=y"], on=["header:a"])

    assert rules == MatchRules(
        ignore=("$.a", "$.b"), normalize=((r"v\d+", "v"), ("x", "y")), on=("host", "header:a")
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[match", "is not TOML: "),
        ("[match]\nignored = []", "match.ignored is not known. There is one table, [match], with"),
        ("[matching]\nignore = []", "matching is not known."),
        ("match = 1", "match is not known."),
        ("[match]\nignore = '$.a'", "match.ignore must be a list of texts."),
        ("[match]\non = [1]", "match.on must be a list of texts."),
        ("[match]\nignore = ['a']", "does not begin with $"),
        ("\xff", "is not TOML"),
    ],
)
def test_a_file_that_makes_no_sense_is_said_so(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "replayproxy.toml"
    path.write_text(text)

    with pytest.raises(UsageError) as raised:
        match_rules(tmp_path / "a.db")

    assert said in str(raised.value)
    assert str(path) in str(raised.value)


def test_a_file_that_cannot_be_read_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "replayproxy.toml").write_bytes(b"\xff\xfe")

    with pytest.raises(UsageError, match="cannot be read"):
        match_rules(tmp_path / "a.db")
