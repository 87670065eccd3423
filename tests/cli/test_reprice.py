"""`replayproxy reprice`: the words it says, and what it does to the file."""

import json
from pathlib import Path

from click.testing import CliRunner

from replayproxy.cli import main
from replayproxy.store import Store
from tests.builders import DONE, asking, chunks, says, written

USAGE = b'data: {"usage":{"prompt_tokens":1000000,"completion_tokens":0}}\n\n'
PRICES = '[[price]]\nmodel = "acme-*"\ninput = 2\noutput = 0\n'


def a_database(path: Path) -> Path:
    body = chunks((1, says("hi") + USAGE + DONE))
    return written(
        path,
        {"body": body, "request": asking(model="acme-1")},
        {"body": body, "request": asking(model="else")},
    )


def run(path: Path, *arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, ["reprice", "--db", str(path), *arguments])
    return result.exit_code, result.stdout, result.stderr


def test_a_price_file_prices_history_and_what_changed_is_told(tmp_path: Path) -> None:
    path = a_database(tmp_path / "a.db")
    prices = tmp_path / "prices.toml"
    prices.write_text(PRICES)

    code, out, words = run(path, "--prices", str(prices), "--json")

    assert code == 0
    assert json.loads(out) == {
        "dry_run": False,
        "exchanges": 2,
        "changed": 1,
        "changes": [{"model": "acme-1", "exchanges": 1, "before_usd": 0.0, "after_usd": 2.0}],
        "unknown": {"unknown_model": 1},
    }
    assert words.splitlines() == [
        "acme-1: 1 exchange, $0 -> $2.00",
        "changed the cost of 1 of 2 exchanges",
        "without a cost: 1 unknown_model",
    ]
    with Store(path) as store:
        priced = store.exchange(1)
        assert (priced.cost_source, priced.price_model) == ("price-file", "*/acme-*")


def test_a_dry_run_says_what_would_change(tmp_path: Path) -> None:
    path = a_database(tmp_path / "a.db")
    prices = tmp_path / "prices.toml"
    prices.write_text(PRICES)

    code, out, words = run(path, "--prices", str(prices), "--dry-run")

    assert (code, out) == (0, "")
    assert "would change the cost of 1 of 2 exchanges" in words
    with Store(path) as store:
        assert store.exchange(1).cost_usd is None


def test_a_price_file_with_an_error_is_told_with_line_and_column(tmp_path: Path) -> None:
    path = a_database(tmp_path / "a.db")
    prices = tmp_path / "prices.toml"
    prices.write_text(PRICES.replace("input = 2", "input = -2"))

    code, _, words = run(path, "--prices", str(prices))

    assert code == 2
    assert words == (
        f"Error: {prices}:3:1: input must be a number of USD that is not negative, such as 0.30\n"
    )
