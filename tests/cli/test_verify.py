"""`replayproxy verify`: what is misused, and what there is nothing to verify of."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from replayproxy.cli import main
from tests.builders import DONE, asking, chunks, says, written

KEY = "sk-LIVE-3f9a7c51d2"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--fail-on", "price"], 2, "'price' is none of status, shape, additions, model, text"),
        (["--upstream", "api.openai.com"], 2, "is not a URL"),
        (["--upstream-ca", "none.pem"], 2, "none.pem cannot be read"),
        (["--upstream-ca", __file__], 2, "holds no certificate in PEM form"),
        (["77"], 1, "has no exchange 77"),
        (["--cassette", "none"], 1, "there is nothing to verify"),
        (["--header", f"Authorization {KEY}"], 2, "--header number 1 is not 'NAME: VALUE'"),
        (["--header", f"Authorization: {KEY}\r\nX: y"], 2, "--header number 1 is not"),
        (["--header", f"ü: {KEY}"], 2, "--header number 1 is not"),
        (["--db", "none.db"], 3, "it does not exist"),
    ],
)
def test_what_makes_no_sense_is_one_clear_line(
    arguments: list[str], code: int, words: str, tmp_path: Path
) -> None:
    path = written(
        tmp_path / "a.db", {"request": asking(), "body": chunks((5, says("Hi")), (6, DONE))}
    )

    ended = CliRunner().invoke(main, ["verify", "--db", str(path), *arguments])

    assert ended.exit_code == code
    assert words in ended.stderr
    assert KEY not in ended.output
    assert "Traceback" not in ended.output
