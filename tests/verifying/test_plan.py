"""What is sent again: each request once, and nothing that could do harm."""

from pathlib import Path
from typing import Any

import pytest

from replayproxy.errors import UnknownExchangeError
from replayproxy.model import Ending
from replayproxy.recording import Policy
from replayproxy.store import Store, Writer
from replayproxy.verifying import Plan, plan
from tests.builders import DONE, a_head, a_request, asking, chunks, record, says, written

BODY = chunks((5, says("Hi")), (6, DONE))


def planned(path: Path, **given: Any) -> Plan:
    with Store(path) as store:
        return plan(store, cassette="default", **given)


def ids(chosen: Plan) -> list[tuple[int, ...]]:
    return [check.exchange_ids for check in chosen.checks]


def test_equal_requests_of_a_host_are_one_check(tmp_path: Path) -> None:
    path = written(
        tmp_path / "a.db",
        {"request": asking("a"), "body": BODY},
        {"request": asking("b"), "body": BODY},
        {"request": asking("a"), "body": BODY},
        {"request": asking("a", host="other.example"), "body": BODY},
        {"request": asking("a"), "body": BODY, "cassette": "another"},
    )

    chosen = planned(path)

    assert ids(chosen) == [(2,), (1, 3), (4,)]
    assert chosen.skipped == {}
    assert [check.host for check in chosen.checks] == [
        "api.openai.com",
        "api.openai.com",
        "other.example",
    ]


@pytest.mark.parametrize(
    ("recording", "why"),
    [
        ({"body": BODY[:1], "ending": None}, "not completed"),
        ({"body": BODY[:1], "ending": Ending.CLIENT_CLOSED}, "not completed"),
        ({"head": None, "ending": Ending.UPSTREAM_CLOSED}, "not completed"),
        ({"head": a_head(status=429, headers=())}, "answered by a passing error (429, 5xx)"),
        ({"head": a_head(status=502, headers=())}, "answered by a passing error (429, 5xx)"),
        ({"request": a_request(method="DELETE")}, "might change something there"),
        ({"request": a_request(path="/v1/files"), "body": BODY}, "might change something there"),
    ],
)
def test_what_tells_nothing_or_could_do_harm_is_left_out(
    recording: dict[str, Any], why: str, tmp_path: Path
) -> None:
    path = written(tmp_path / "a.db", {"request": asking("a"), "body": BODY, **recording})

    chosen = planned(path)

    assert chosen.checks == ()
    assert [(w.partition(" (--")[0], n) for w, n in chosen.skipped.items()] == [(why, 1)]


@pytest.mark.parametrize(
    ("method", "target"),
    [("GET", "/v1/files"), ("HEAD", "/v1/models"), ("POST", "/v1/embeddings")],
)
def test_what_only_asks_is_sent(method: str, target: str, tmp_path: Path) -> None:
    request = a_request(method=method, path=target)
    path = written(tmp_path / "a.db", {"request": request, "head": a_head(headers=())})

    assert ids(planned(path)) == [(1,)]


def test_what_was_recorded_without_bodies_cannot_be_sent(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "a.db", policy=Policy(keep_bodies=False))
    record(writer, *BODY, request=asking())
    writer.close()

    assert planned(tmp_path / "a.db").skipped == {"recorded without bodies": 1}


def test_ids_mean_what_they_name_whatever_it_is(tmp_path: Path) -> None:
    path = written(
        tmp_path / "a.db",
        {"request": a_request(method="DELETE"), "head": a_head(headers=())},
        {"request": asking(), "body": BODY, "cassette": "another"},
        {"request": asking("not named"), "body": BODY},
    )

    assert ids(planned(path, exchange_ids=[2, 1, 2])) == [(1,), (2,)]
    with pytest.raises(UnknownExchangeError):
        planned(path, exchange_ids=[9])


def test_a_limit_keeps_the_requests_recorded_last(tmp_path: Path) -> None:
    asked = ("a", "b", "c", "a")
    path = written(tmp_path / "a.db", *({"request": asking(a), "body": BODY} for a in asked))

    chosen = planned(path, limit=1)

    assert ids(chosen) == [(1, 4)]
    assert chosen.skipped == {"over the limit": 2}
