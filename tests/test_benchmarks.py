"""The benchmarks work: what they find is for `make bench` to see, not for a test."""

import json
from pathlib import Path

import pytest

from tests.benchmarks.__main__ import SUBJECTS, main


@pytest.mark.parametrize("subject", SUBJECTS)
def test_a_quick_look_at_a_subject_gives_figures(
    subject: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "figures.json"

    main([subject, "--quick", "--json", str(file)])

    found = json.loads(file.read_text())["figures"]
    assert found
    assert all(figure["ours"] is not None or figure["note"] for figure in found)
    assert all(figure["what"] in capsys.readouterr().out for figure in found[:1])
