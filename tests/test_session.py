"""One replay: which recording answers, and what is said when none does."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from replayproxy.errors import ReplayMiss
from replayproxy.model import Ending, Request
from replayproxy.playback import Repeat
from replayproxy.session import Session
from replayproxy.store import Store
from tests.builders import DONE, a_request, asking, chunks, says, written

type Opens = Callable[..., Session]


@pytest.fixture
def session(tmp_path: Path, request: pytest.FixtureRequest) -> Opens:
    """Opens a session of recordings, given in the words of `record`."""

    def opened(*recordings: dict[str, Any], cassette: str = "default", **given: Any) -> Session:
        store = Store(written(tmp_path / "a.db", *recordings))
        request.addfinalizer(store.close)
        return Session(store, cassette=cassette, **given)

    return opened


def answered(session: Session, *requests: Request) -> list[int | None]:
    """The id of the exchange that answers each request; None for a miss."""
    found = []
    for request in requests:
        try:
            found.append(session.answer(request).exchange.id)
        except ReplayMiss:
            found.append(None)
    return found


def miss(session: Session, request: Request) -> str:
    with pytest.raises(ReplayMiss) as raised:
        session.answer(request)
    return str(raised.value)


def test_a_hit_is_the_exchange_and_its_chunks(session: Opens) -> None:
    body = chunks((5, says("Hello")), (9, DONE))
    replay = session({"request": asking("one"), "body": body}, {"request": asking("two")})

    hit = replay.answer(asking("one"))

    assert (hit.exchange.id, hit.exchange.request, hit.chunks) == (1, asking("one"), body)
    assert (replay.hits, replay.misses) == (1, 0)


@pytest.mark.parametrize(
    ("repeat", "ids"),
    [
        (Repeat.LAST, [1, 3, 3, 3, 3]),
        (Repeat.CYCLE, [1, 3, 1, 3, 1]),
        (Repeat.ERROR, [1, 3, None, None, None]),
    ],
)
def test_equal_requests_get_their_recordings_in_order(
    session: Opens, repeat: Repeat, ids: list[int | None]
) -> None:
    replay = session(
        {"request": asking("one")},
        {"request": asking("two")},
        {"request": asking("one")},
        repeat=repeat,
    )

    assert answered(replay, *[asking("one")] * 5) == ids
    assert answered(replay, asking("two")) == [2]


def test_the_same_host_is_preferred(session: Opens) -> None:
    replay = session(
        {"request": asking(host="a")}, {"request": asking(host="b")}, {"request": asking(host="b")}
    )

    assert answered(replay, asking(host="b"), asking(host="b"), asking(host="b")) == [2, 3, 3]
    assert answered(replay, asking(host="elsewhere")) == [1]


def test_asking_one_host_does_not_use_up_the_other(session: Opens) -> None:
    replay = session(
        {"request": asking(host="a")}, {"request": asking(host="b")}, repeat=Repeat.ERROR
    )

    assert answered(replay, asking(host="a"), asking(host="b"), asking(host="b")) == [1, 2, None]


def test_the_upstreams_recordings_answer_those_who_ask_us_directly(session: Opens) -> None:
    replay = session(
        {"request": asking(host="a")},
        {"request": asking(host="b")},
        {"request": asking(host="b")},
        upstream_host="b",
        repeat=Repeat.ERROR,
    )

    asked = [asking(host="127.0.0.1"), asking(host="localhost"), asking(host="b")]

    assert answered(replay, *asked) == [2, 3, None]


def test_what_cannot_be_a_whole_answer_is_not_played(session: Opens) -> None:
    replay = session(
        {"request": asking("one"), "ending": Ending.INTERRUPTED},
        {"request": asking("one"), "head": None, "ending": Ending.UPSTREAM_CLOSED},
        {"request": asking("one"), "cassette": "other"},
    )

    assert answered(replay, asking("one")) == [None]
    assert (replay.hits, replay.misses) == (0, 1)


START = "cassette 'default' has no exchange for this "
RECORD_IT = " Record it with: replayproxy record --cassette default"


def test_a_miss_of_an_empty_cassette_says_so(session: Opens) -> None:
    replay = session({"request": asking(), "cassette": "other"})

    assert miss(replay, asking(model="o3")) == (
        f"{START}o3 request (POST /v1/chat/completions). "
        f"It holds nothing that can be replayed.{RECORD_IT}"
    )


def test_a_miss_names_the_closest_exchange_and_where_it_differs(session: Opens) -> None:
    replay = session(
        {"request": asking("far", model="o3")},
        {"request": asking("near")},
        {"request": asking("far", path="/v1/other")},
    )

    assert miss(replay, asking("nearer")) == (
        f"{START}gpt-4o request (POST /v1/chat/completions). "
        'The closest, exchange 2, differs at $.messages[0].content: asked "nearer", '
        f'recorded "near".{RECORD_IT}'
    )


def test_a_miss_of_a_path_is_compared_with_the_others(session: Opens) -> None:
    replay = session({"request": asking()})

    assert miss(replay, a_request(method="GET", path="/v1/models")) == (
        f"{START}GET /v1/models request. "
        f"The closest, exchange 1, differs at method: asked GET, recorded POST.{RECORD_IT}"
    )


def test_what_differs_is_shown_in_part_when_it_is_long(session: Opens) -> None:
    replay = session({"request": asking("x" * 200)})

    said = miss(replay, asking("x" * 199 + "y"))

    long = '"' + "x" * 119 + "..."
    assert f"asked {long}, recorded {long}." in said


def test_a_body_that_is_not_json_has_no_model(session: Opens) -> None:
    replay = session({"request": a_request(body=b"abc")})

    for body in (b"\xff", b"", json.dumps({"model": None}).encode()):
        assert f"{START}POST /v1/chat/completions request. " in miss(replay, a_request(body=body))


def test_a_miss_without_a_difference_names_the_closest_all_the_same(tmp_path: Path) -> None:
    path = written(tmp_path / "a.db", {"request": asking()})
    with closing(sqlite3.connect(path)) as other:
        other.execute("UPDATE requests SET match_key = 'mk0:of another time'")
        other.commit()

    with Store(path) as store:
        said = miss(Session(store, cassette="default"), asking())

    assert "Exchange 1 is the closest." in said


def test_when_all_were_played_it_is_said_how_to_go_on(session: Opens) -> None:
    replay = session({"request": asking()}, {"request": asking()}, repeat=Repeat.ERROR)
    assert answered(replay, asking(), asking()) == [1, 2]

    assert miss(replay, asking()) == (
        "cassette 'default' has 2 recorded answers for this gpt-4o request "
        "(POST /v1/chat/completions), and all were played (--repeat error). "
        "Record more of them, or use --repeat last."
    )
    assert (replay.hits, replay.misses) == (2, 1)
