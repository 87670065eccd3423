"""`replayproxy stats`: its table, its JSON and CSV, its pictures."""

import csv
import io
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from replayproxy.cli import main
from replayproxy.store import Store
from tests.builders import DONE, asking, chunks, says, written


def usage(cost: float | None) -> bytes:
    told: dict[str, Any] = {"prompt_tokens": 9, "completion_tokens": 2}
    event = {"usage": told if cost is None else {**told, "cost": cost}}
    return f"data: {json.dumps(event)}\n\n".encode()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    def body(cost: float | None) -> Any:
        return chunks((10**8, says("hi")), (11 * 10**7, usage(cost) + DONE))

    return written(
        tmp_path / "a.db",
        {"body": body(0.25), "request": asking(model="gpt-4o")},
        {"body": body(0.5), "request": asking(model="gpt-4o", headers=(("x-aig-tag", "t"),))},
        {"body": body(None), "request": asking(model="=HYPERLINK(1)\x1b[31m")},
    )


def run(path: Path, *arguments: str) -> Any:
    return CliRunner().invoke(main, ["stats", "--db", str(path), *arguments])


def test_the_table_has_a_line_for_each_group_and_a_total(path: Path) -> None:
    result = run(path)

    assert result.exit_code == 0
    header, gpt, other, total = (line.split() for line in result.stdout.splitlines())
    assert header[:6] == ["model", "exchanges", "cost", "no", "cost", "in"]
    assert gpt == "gpt-4o 2 $0.75 0 18 4 0.10 0.10 0.10 0.11 0.11 0.11 200".split()
    assert other[:4] == ["=HYPERLINK(1)\\x1b[31m", "1", "-", "1"]
    assert total[:5] == ["total", "3", "$0.75", "1", "27"]


def test_json_has_every_figure_and_null_is_unknown(path: Path) -> None:
    found = json.loads(run(path, "--json", "--by", "tag").stdout)

    with Store(path) as store:
        expected = store.statistics(by="tag")
    assert found == {
        "by": "tag",
        "total": asdict(expected.total),
        "groups": [asdict(group) for group in expected.groups],
    }
    assert [group["name"] for group in found["groups"]] == ["t", None]
    assert found["total"]["reasoning_tokens"] is None


def test_csv_has_a_header_and_no_formulas(path: Path) -> None:
    lines = list(csv.DictReader(io.StringIO(run(path, "--csv").stdout)))

    assert [line["model"] for line in lines] == ["gpt-4o", "'=HYPERLINK(1)\x1b[31m"]
    assert [line["cost_usd"] for line in lines] == ["0.75", ""]


def test_since_and_cassette_leave_out_the_rest(path: Path) -> None:
    assert "No exchanges in this time." in run(path, "--since", "2026-09-02").stderr
    assert "No exchanges in this time." in run(path, "--cassette", "other").stderr
    assert (
        json.loads(run(path, "--json", "--since", "2026-09-01").stdout)["total"]["exchanges"] == 3
    )


def test_pictures_are_drawn_whatever_the_names_are(path: Path, tmp_path: Path) -> None:
    png, svg = tmp_path / "a.png", tmp_path / "a.svg"

    result = run(path, "--png", str(png), "--svg", str(svg))

    assert (result.exit_code, result.stdout) == (0, "")
    assert png.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    texts = "".join(ElementTree.fromstring(svg.read_text()).itertext())  # noqa: S314
    assert "3 exchanges, $0.75, by model" in texts
    assert "gpt-4o" in texts
    assert "=HYPERLINK(1)␛[31m" in texts


def test_a_picture_of_nothing_is_an_error(tmp_path: Path) -> None:
    path = written(tmp_path / "empty.db")

    result = run(path, "--svg", str(tmp_path / "a.svg"))

    assert result.exit_code == 2
    assert "nothing to draw" in result.stderr
    assert not (tmp_path / "a.svg").exists()


def test_a_picture_that_cannot_be_written_is_an_error(path: Path, tmp_path: Path) -> None:
    result = run(path, "--svg", str(tmp_path / "none" / "a.svg"))

    assert result.exit_code == 2
    assert "cannot be written: No such file or directory" in result.stderr


def test_without_the_package_that_draws_the_extra_is_named(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.delitem(sys.modules, "vl_convert", raising=False)

    result = run(path, "--png", "a.png")

    assert result.exit_code == 2
    assert "stats --png and --svg needs the 'dashboard' extra" in result.stderr


def test_two_formats_at_once_are_refused(path: Path) -> None:
    assert run(path, "--json", "--csv").exit_code == 2
