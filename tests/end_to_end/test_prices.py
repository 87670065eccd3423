"""Prices of one's own, from the command line and the addon to the list."""

from pathlib import Path

from tests.end_to_end.commands import listed, mitmdump, run, serving
from tests.end_to_end.upstream import Upstream, plain
from tests.end_to_end.wire import post

PRICES = '[[price]]\nmodel = "acme-*"\ninput = 2.00\noutput = 8.00\n'
ANSWER = b'{"model":"acme-1","usage":{"prompt_tokens":1000,"completion_tokens":500}}'
ASK = {"model": "acme-1", "messages": []}
COST = 0.006


def costs(cwd: Path) -> list[tuple[object, object]]:
    return [(row["cost_usd"], row["cost_source"]) for row in listed(cwd)]


def test_what_is_recorded_is_priced_by_the_file_and_history_on_request(tmp_path: Path) -> None:
    prices = tmp_path / "prices.toml"
    prices.write_text(PRICES)

    with Upstream(lambda request: plain(ANSWER)) as upstream:
        with serving("record", "--upstream", upstream.origin, cwd=tmp_path) as recorder:
            post(f"{recorder.url}/v1/chat/completions", ASK)
            assert recorder.stop() == 0, recorder.words
        with serving(
            "record", "--upstream", upstream.origin, "--prices", "prices.toml", cwd=tmp_path
        ) as recorder:
            post(f"{recorder.url}/v1/chat/completions", ASK)
            assert recorder.stop() == 0, recorder.words
        with mitmdump(
            "recorder",
            f"--mode=reverse:{upstream.origin}",
            cwd=tmp_path,
            settings=["replayproxy_db=replayproxy.db", f"replayproxy_prices={prices}"],
        ) as stock:
            post(f"{stock.url}/v1/chat/completions", ASK)
            assert stock.stop() == 0, stock.words

    assert costs(tmp_path) == [
        (None, "unknown_model"),
        (COST, "price-file"),
        (COST, "price-file"),
    ]
    repriced = run("reprice", "--prices", "prices.toml", cwd=tmp_path)
    assert "changed the cost of 1 of 3 exchanges" in repriced.stderr
    assert costs(tmp_path) == [(COST, "price-file")] * 3


def test_a_price_file_with_an_error_starts_nothing(tmp_path: Path) -> None:
    (tmp_path / "prices.toml").write_text(PRICES.replace("8.00", "eight"))

    refused = run("record", "--prices", "prices.toml", cwd=tmp_path)

    assert refused.returncode == 2
    assert refused.stderr.startswith("Error: prices.toml:4:10: this is not TOML: Invalid value")
    assert not (tmp_path / "replayproxy.db").exists()
