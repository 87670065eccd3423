"""The user's own prices: what they say, when they count, and where they are wrong."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from replayproxy.errors import UsageError
from replayproxy.model import Exchange, Usage
from replayproxy.pricing import PriceFile, priced
from replayproxy.pricing.price_file import PriceFileError
from tests.builders import a_request, an_exchange

MILLION = 1_000_000
USAGE = Usage(input_tokens=MILLION, output_tokens=MILLION)


def a_file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "prices.toml"
    path.write_text(text, newline="")
    return path


def priced_by(tmp_path: Path, text: str, **given: Any) -> Exchange:
    own = PriceFile.read(a_file(tmp_path, text))
    return priced(an_exchange(**{"usage": USAGE, "request_model": "acme-1", **given}), own)


def test_it_wins_over_the_price_list(tmp_path: Path) -> None:
    text = '[[price]]\nmodel = "gpt-4o"\ninput = 1\noutput = 0.25\n'

    exchange = priced_by(tmp_path, text, request_model="gpt-4o")

    assert (exchange.cost_usd, exchange.cost_source) == (Decimal("1.25"), "price-file")
    assert exchange.price_model == "*/gpt-4o"
    assert exchange.price_version == PriceFile.read(tmp_path / "prices.toml").version
    assert exchange.price_version.startswith("prices.toml ")


def test_what_the_provider_reports_wins_over_it(tmp_path: Path) -> None:
    text = '[[price]]\nmodel = "*"\ninput = 1\noutput = 1\n'

    exchange = priced_by(tmp_path, text, reported_cost_usd=Decimal("0.5"))

    assert (exchange.cost_usd, exchange.computed_cost_usd) == (Decimal("0.5"), Decimal(2))


def test_what_it_does_not_name_is_priced_by_the_list(tmp_path: Path) -> None:
    text = '[[price]]\nmodel = "acme-*"\ninput = 1\noutput = 1\n'

    assert priced_by(tmp_path, text, request_model="gpt-4o").cost_source == "genai-prices"
    assert priced_by(tmp_path, text, request_model=None).cost_source == "unknown_model"


DATED = """
[[price]]
model = "acme-*"
input = 1
output = 0

[[price]]
model = "ACME-1"
from = 2026-03-01
until = 2026-04-01T12:00:00Z
input = 2
output = 0
"""


@pytest.mark.parametrize(
    ("started_at", "cost_usd"),
    [
        (datetime(2026, 2, 28, 23, 59, 59, 999999, tzinfo=UTC), 1),
        (datetime(2026, 3, 1, tzinfo=UTC), 2),
        (datetime(2026, 4, 1, 11, 59, 59, tzinfo=UTC), 2),
        (datetime(2026, 4, 1, 12, tzinfo=UTC), 1),
    ],
)
def test_the_last_price_that_was_in_effect_counts(
    tmp_path: Path, started_at: datetime, cost_usd: int
) -> None:
    assert priced_by(tmp_path, DATED, started_at=started_at).cost_usd == cost_usd


@pytest.mark.parametrize(
    ("provider", "known"),
    [("aigateway", True), ("api.aigateway.sh", True), ("*.SH", True), ("openai", False)],
)
def test_a_price_can_be_that_of_one_provider_or_host(
    tmp_path: Path, provider: str, known: bool
) -> None:
    text = f'[[price]]\nmodel = "acme-1"\nprovider = "{provider}"\ninput = 1\noutput = 1\n'

    exchange = priced_by(
        tmp_path, text, provider="aigateway", request=a_request(host="api.aigateway.sh")
    )

    assert (exchange.cost_usd is not None) is known


def test_the_model_may_be_what_was_asked_or_what_answered(tmp_path: Path) -> None:
    text = '[[price]]\nmodel = "acme-1"\ninput = 1\noutput = 1\n'

    for given in ({"response_model": "else"}, {"request_model": "x", "response_model": "acme-1"}):
        assert priced_by(tmp_path, text, **given).cost_usd == 2


def test_every_rate_is_applied_to_its_part_and_no_token_is_paid_twice(tmp_path: Path) -> None:
    text = """
    [[price]]
    model = "acme-1"
    input = 3
    output = 15
    cache_read = 0.30
    cache_write = 3.75
    cache_write_1h = 6
    input_audio = 32
    output_audio = 64
    web_search = 0.01
    request = 0.001
    """
    usage = Usage(
        input_tokens=1000,
        output_tokens=200,
        cache_read_tokens=400,
        cache_write_tokens=300,
        cache_write_1h_tokens=100,
        reasoning_tokens=50,
        input_audio_tokens=150,
        output_audio_tokens=20,
        cache_read_audio_tokens=50,
        web_searches=2,
    )

    exchange = priced_by(tmp_path, text, usage=usage)

    by_hand = (
        200 * Decimal(3)  # 1000 - 400 read - 300 written - 100 heard that were not cached
        + 400 * Decimal("0.30")
        + 200 * Decimal("3.75")
        + 100 * Decimal(6)
        + 100 * Decimal(32)
        + 180 * Decimal(15)
        + 20 * Decimal(64)
    ) / MILLION
    assert exchange.cost_usd == by_hand + 2 * Decimal("0.01") + Decimal("0.001")


def test_parts_that_are_more_than_the_whole_have_no_cost(tmp_path: Path) -> None:
    text = '[[price]]\nmodel = "acme-1"\ninput = 1\noutput = 1\n'
    usage = Usage(input_tokens=1, output_tokens=1, cache_read_tokens=2)

    exchange = priced_by(tmp_path, text, usage=usage)

    assert (exchange.cost_usd, exchange.cost_source) == (None, "bad_usage")


def test_a_price_of_zero_is_free_because_it_says_so(tmp_path: Path) -> None:
    text = '[[price]]\nmodel = "acme-1"\nprovider = "localhost"\ninput = 0\noutput = 0\n'

    exchange = priced_by(tmp_path, text, request=a_request(host="localhost"))

    assert (exchange.cost_usd, exchange.cost_source) == (Decimal(0), "price-file")


GOOD = '[[price]]\nmodel = "a"\ninput = 1\noutput = 1\n'


@pytest.mark.parametrize(
    ("text", "line", "column", "reason"),
    [
        ("[[price]]\nmodel = acme", 2, 9, "this is not TOML: Invalid value"),
        ("[[price]]\nmodel = 'acme", 2, 14, "this is not TOML:"),
        ("x = 1", 1, 1, "x is not known; every price is a table [[price]]"),
        (f"# mine\n{GOOD}[prices]\na = 1", 6, 2, "prices is not known"),
        ("price = 3", 1, 1, "every price is a table of its own: [[price]]"),
        ("[price]\ninput = 3", 1, 2, "every price is a table of its own: [[price]]"),
        (f"{GOOD}\n[[price]]\nmodel = 'b'", 6, 1, "this price has no input"),
        (f"{GOOD}[[price]]\n", 5, 1, "this price has no model"),
        (f"{GOOD}  inptu = 3", 5, 3, "inptu is not known; there are: model, provider, from,"),
        (f"{GOOD}price = 3", 5, 1, "price is not known"),
        (GOOD.replace('"a"', "7"), 2, 1, 'model must be a text, such as model = "acme-*"'),
        (f'{GOOD}provider = ""', 5, 1, "provider must be a text"),
        (GOOD.replace("input = 1", "input = -0.5"), 3, 1, "input must be a number of USD"),
        (GOOD.replace("input = 1", 'input = "1"'), 3, 1, "input must be a number of USD"),
        (GOOD.replace("output = 1", "output = nan"), 4, 1, "output must be a number of USD"),
        (GOOD.replace("output = 1", "output = inf"), 4, 1, "output must be a number of USD"),
        (GOOD.replace("output = 1", "output = true"), 4, 1, "output must be a number of USD"),
        (f'{GOOD}from = "2026-01-01"', 5, 1, "from must be a date, without quotes"),
        (f"{GOOD}from = 2026-02-01\nuntil = 2026-01-01", 6, 1, "until must be later than from"),
        ('price = [\n  {model = "a", input = 1, output = -1}\n]', 3, 1, "output must be"),
    ],
)
def test_what_is_wrong_is_told_with_its_line_and_column(
    tmp_path: Path, text: str, line: int, column: int, reason: str
) -> None:
    path = a_file(tmp_path, text)

    with pytest.raises(PriceFileError) as caught:
        PriceFile.read(path)

    assert (caught.value.line, caught.value.column) == (line, column)
    assert str(caught.value).startswith(f"{path}:{line}:{column}: {reason}")


def test_a_file_that_cannot_be_read_is_a_usage_error(tmp_path: Path) -> None:
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff")

    for path in (tmp_path / "missing.toml", binary, tmp_path):
        with pytest.raises(UsageError, match="cannot be read"):
            PriceFile.read(path)
