"""One replay: which recording answers, and what is said when none does."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from replayproxy.errors import NotRecorded, ReplayMiss
from replayproxy.matching import EXACT, MatchRules
from replayproxy.model import Ending, Request
from replayproxy.playback import Repeat
from replayproxy.session import Session
from replayproxy.store import Library
from tests.builders import DONE, a_request, asking, chunks, says, written

type Opens = Callable[..., Session]


@pytest.fixture
def session(tmp_path: Path, request: pytest.FixtureRequest) -> Opens:
    """Opens a session of recordings, given in the words of `record`."""

    def opened(*recordings: dict[str, Any], cassette: str = "default", **given: Any) -> Session:
        store = Library(written(tmp_path / "a.db", *recordings))
        request.addfinalizer(store.close)
        store.prepare(given.get("rules", EXACT), cassette=cassette)
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


def test_what_was_not_recorded_is_a_miss_that_names_the_request(session: Opens) -> None:
    replay = session({"request": asking(), "cassette": "other"})

    with pytest.raises(NotRecorded) as raised:
        replay.answer(asking(model="o3"))

    assert str(raised.value) == (
        "cassette 'default' has no exchange for this o3 request (POST /v1/chat/completions)."
    )


def test_a_body_that_is_not_json_has_no_model(session: Opens) -> None:
    replay = session({"request": a_request(body=b"abc")})

    for body in (b"\xff", b"", json.dumps({"model": None}).encode()):
        said = miss(replay, a_request(body=body))
        assert said.endswith("has no exchange for this POST /v1/chat/completions request.")


def test_when_all_were_played_it_is_said_how_to_go_on(session: Opens) -> None:
    replay = session({"request": asking()}, {"request": asking()}, repeat=Repeat.ERROR)
    assert answered(replay, asking(), asking()) == [1, 2]

    assert miss(replay, asking()) == (
        "cassette 'default' has 2 recorded answers for this gpt-4o request "
        "(POST /v1/chat/completions), and all were played (--repeat error). "
        "Record more of them, or use --repeat last."
    )
    assert (replay.hits, replay.misses) == (2, 1)


def test_rules_find_what_exact_matching_does_not_and_say_where_it_differs(session: Opens) -> None:
    rules = MatchRules(ignore=("$.messages[0].content",))
    replay = session({"request": asking("one")}, {"request": asking("two")}, rules=rules)

    hit = replay.answer(asking("three"))

    assert (hit.exchange.id, hit.normalized) == (1, ("$.messages[0].content",))
    assert (replay.hits, replay.normalized, replay.misses) == (1, 1, 0)
    assert answered(replay, asking("three", model="o3")) == [None]


def test_what_was_recorded_exactly_so_comes_before_what_rules_make_the_same(
    session: Opens,
) -> None:
    rules = MatchRules(ignore=("$.messages[0].content",))
    replay = session(
        {"request": asking("one")},
        {"request": asking("two")},
        {"request": asking("three")},
        rules=rules,
        repeat=Repeat.ERROR,
    )

    hits = [replay.answer(asking(text)) for text in ("two", "new", "newer")]

    assert [(hit.exchange.id, bool(hit.normalized)) for hit in hits] == [
        (2, False),
        (1, True),
        (3, True),
    ]
    assert answered(replay, asking("two"), asking("new"), asking("one")) == [None, None, 1]


def test_what_must_be_the_same_too_tells_apart_what_else_were_equal(session: Opens) -> None:
    tenant = "x-tenant"
    replay = session(
        {"request": asking(headers=((tenant, "a"),))},
        {"request": asking(headers=((tenant, "b"),))},
        {"request": asking(host="elsewhere")},
        rules=MatchRules(on=("host", f"header:{tenant}")),
        repeat=Repeat.ERROR,
    )

    asked = [
        asking(headers=((tenant, "b"),)),
        asking(headers=((tenant, "c"),)),
        asking(headers=((tenant, "a"),)),
        asking(host="elsewhere"),
        asking(host="nowhere"),
    ]

    assert answered(replay, *asked) == [2, None, 1, 3, None]


def test_each_token_has_playlists_of_its_own(session: Opens) -> None:
    replay = session({"request": asking()}, {"request": asking()}, repeat=Repeat.ERROR)

    tokens = ["a", "b", "a", "", "b"]

    assert [replay.answer(asking(), token=token).exchange.id for token in tokens] == [1, 1, 2, 1, 2]
