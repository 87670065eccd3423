"""What is told to whom whose request was not recorded."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from replayproxy.explaining import explained
from replayproxy.matching import EXACT, MatchRules
from replayproxy.model import Ending, Request
from replayproxy.store import Library
from tests.builders import a_request, asking, written

type Explains = Callable[..., str]


@pytest.fixture
def miss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Explains:
    """The message for a request, given recordings in the words of `record`."""
    monkeypatch.chdir(tmp_path)

    def message(
        request: Request, *recordings: dict[str, Any], path: str = "replayproxy.db", **given: Any
    ) -> str:
        with Library(written(Path(path), *recordings)) as library:
            return explained(request, library, cassette="default", **given).message

    return message


START = "cassette 'default' has no exchange for this "
RECORD_IT = " Record it with: replayproxy record --cassette default"


def test_a_miss_of_an_empty_cassette_says_so(miss: Explains) -> None:
    assert miss(asking(model="o3"), {"request": asking(), "cassette": "other"}) == (
        f"{START}o3 request (POST /v1/chat/completions). "
        f"It holds nothing that can be replayed.{RECORD_IT}"
    )


def test_a_miss_names_the_closest_exchange_where_it_differs_and_what_would_help(
    miss: Explains,
) -> None:
    said = miss(
        asking("nearer"),
        {"request": asking("far", model="o3")},
        {"request": asking("near")},
        {"request": asking("far", path="/v1/other")},
        {"request": asking("fa")},
    )

    assert said == (
        f"{START}gpt-4o request (POST /v1/chat/completions). "
        'The closest, exchange 2, differs at $.messages[0].content: asked "nearer", '
        "recorded \"near\". With --ignore '$.messages[0].content', 2 of 3 compared would match."
        f"{RECORD_IT}"
    )


def test_a_miss_of_a_path_is_compared_with_the_others(miss: Explains) -> None:
    assert miss(a_request(method="GET", path="/v1/models"), {"request": asking()}) == (
        f"{START}GET /v1/models request. "
        f"The closest, exchange 1, differs at method: asked GET, recorded POST.{RECORD_IT}"
    )


def test_what_differs_is_shown_in_part_when_it_is_long(miss: Explains) -> None:
    said = miss(asking("x" * 199 + "y"), {"request": asking("x" * 200)})

    long = '"' + "x" * 119 + "..."
    assert f"asked {long}, recorded {long}." in said


def test_what_rules_make_the_same_is_no_difference(miss: Explains) -> None:
    rules = MatchRules(ignore=("$.messages",), on=("header:x-tenant",))
    recorded = asking("one", headers=(("x-tenant", "a"),))

    said = miss(asking("two", headers=(("x-tenant", "b"),)), {"request": recorded}, rules=rules)

    assert "differs at header:x-tenant: asked fp:" in said
    assert "$.messages" not in said


def test_the_command_names_the_database_and_the_upstream_where_they_are_needed(
    miss: Explains,
) -> None:
    recorded = asking("one", host="llm.internal", port=8443)

    said = miss(asking("two", host="127.0.0.1", port=8080), {"request": recorded}, path="my db")

    assert said.endswith(
        "Record it with: replayproxy record --db 'my db' --cassette default "
        "--upstream https://llm.internal:8443"
    )


def test_what_cannot_be_played_is_nothing_to_compare_with(miss: Explains) -> None:
    said = miss(asking("two"), {"request": asking("one"), "ending": Ending.INTERRUPTED})

    assert "It holds nothing that can be replayed." in said


def test_a_request_that_is_there_all_the_same_is_named(miss: Explains) -> None:
    assert "Exchange 1 is the closest." in miss(asking(), {"request": asking()}, rules=EXACT)


def test_whoever_records_otherwise_says_how(miss: Explains) -> None:
    message = miss(asking("a"), {"request": asking("b")}, record_command="pytest --record")

    assert message.endswith("Record it with: pytest --record")
