"""`replayproxy show`: what it says of usage and cost."""

import json
from functools import partial
from pathlib import Path

from click.testing import CliRunner

from replayproxy.cli import main
from replayproxy.pricing import priced
from replayproxy.recording import Policy
from replayproxy.store import Writer
from tests.builders import DONE, asking, chunks, record, says


def shown(tmp_path: Path, usage: object, *, policy: Policy | None = None) -> str:
    path = tmp_path / "a.db"
    writer = Writer(path, enrich=partial(priced, own=None), policy=policy)
    event = f"data: {json.dumps({'usage': usage})}\n\n".encode()
    model = "anthropic/claude-sonnet-4"
    record(writer, *chunks((1, says("Hi!!") + event + DONE)), request=asking(model=model))
    writer.close()
    return CliRunner().invoke(main, ["show", "1", "--db", str(path)]).stdout


def test_what_was_reported_and_what_was_computed_stand_side_by_side(tmp_path: Path) -> None:
    usage = {"prompt_tokens": 9000, "completion_tokens": 2, "cost": 0.01}

    text = shown(tmp_path, usage)

    assert "tokens: 9,000 in (unknown cached), 2 out (unknown reasoning)\n" in text
    assert "cost: $0.01 (reported)\ncomputed: $0.03 (genai-prices " in text
    assert "anthropic/claude-sonnet-4-0)" in text


def test_more_counts_problems_and_reasons_are_told(tmp_path: Path) -> None:
    details = {"audio_tokens": 5, "cached_tokens": 0}
    usage = {"prompt_tokens": 9, "completion_tokens": -2, "prompt_tokens_details": details}

    text = shown(tmp_path, usage)

    assert "also: 5 input_audio_tokens\n" in text
    assert "output_tokens unknown: completion_tokens is -2\n" in text
    assert "cost: - (bad_usage)\n" in text
    assert "computed" not in text


def test_an_estimate_is_told_as_one(tmp_path: Path) -> None:
    text = shown(tmp_path, None, policy=Policy(estimate_usage=True))

    assert "estimated: 1 in, 1 out (4 characters a token)\n" in text
    assert "cost: - (no_usage)\n" in text
