"""A cassette in memory answers as a database would."""

from pathlib import Path
from typing import Any

import pytest

from replayproxy.cassettes import Cassette, Deck, Track
from replayproxy.errors import NotRecorded, ReplayMiss, UsageError
from replayproxy.explaining import explained
from replayproxy.matching import EXACT, MatchRules, match_key
from replayproxy.model import Ending, Outcome
from replayproxy.playback import Repeat
from replayproxy.session import Session
from tests.builders import DONE, a_head, an_exchange, asking, chunks, says

PATH = Path("cassettes/test_it.yaml")


def a_track(text: str, *, says_: str = "hi", **given: Any) -> Track:
    request = asking(text, host=given.pop("host", "api.openai.com"))
    exchange = an_exchange(request=request, head=a_head(), **given)
    return Track(exchange=exchange, chunks=chunks((5, says(says_)), (9, DONE)))


def a_deck(*tracks: Track, rules: MatchRules = EXACT) -> Deck:
    return Deck(Cassette(tracks=tracks), path=PATH, name="test_it", rules=rules)


def test_equal_requests_are_answered_in_recorded_order_and_no_more_often() -> None:
    deck = a_deck(a_track("q", says_="one"), a_track("other"), a_track("q", says_="two"))
    session = Session(deck, cassette="test_it", repeat=Repeat.ERROR)

    played = [session.answer(asking("q")).exchange.id for _ in range(2)]

    assert played == [1, 3]
    with pytest.raises(ReplayMiss, match="2 recorded answers"):
        session.answer(asking("q"))


def test_an_exchange_has_all_that_follows_from_its_bytes() -> None:
    hit = Session(a_deck(a_track("q")), cassette="test_it").answer(asking("q"))

    assert hit.exchange.outcome is Outcome.COMPLETED
    assert hit.exchange.request_model == "gpt-4o"
    assert hit.exchange.first_content_ns == 5
    assert hit.chunks == chunks((5, says("hi")), (9, DONE))


def test_the_same_host_is_preferred() -> None:
    deck = a_deck(a_track("q", host="a.example"), a_track("q", host="b.example"))

    hit = Session(deck, cassette="c", upstream_host="b.example").answer(asking("q", host="x"))

    assert hit.exchange.id == 2


def test_rules_find_what_exact_keys_do_not() -> None:
    deck = a_deck(a_track("on 2026-01-01"), rules=MatchRules(normalize=((r"\d{4}-\d\d", "day"),)))
    rules = MatchRules(normalize=((r"\d{4}-\d\d", "day"),))

    hit = Session(deck, cassette="c", rules=rules).answer(asking("on 2027-02-01"))

    assert hit.normalized == ("$.messages[0].content",)


def test_what_was_interrupted_answers_only_if_it_was_whole() -> None:
    broken = Track(
        exchange=an_exchange(request=asking("q"), ending=Ending.INTERRUPTED),
        chunks=chunks((5, says("hi"))),
    )
    deck = a_deck(broken, a_track("q", ending=Ending.INTERRUPTED))

    assert deck.playable == (2,)


def test_a_miss_names_the_closest_exchange_and_hides_secrets() -> None:
    deck = a_deck(a_track("hello"))
    with pytest.raises(NotRecorded):
        Session(deck, cassette="test_it").answer(asking("hallo"))

    request = asking("hallo", query="key=secret", headers=(("authorization", "secret"),))
    explanation = explained(request, deck, cassette="test_it")

    assert explanation.miss.closest_id == 1
    assert 'differs at $.messages[0].content: asked "hallo", recorded "hello"' in (
        explanation.message
    )
    assert "secret" not in explanation.message


def test_a_header_that_is_not_kept_cannot_be_matched_on() -> None:
    with pytest.raises(UsageError, match="x-tenant"):
        a_deck(rules=MatchRules(on=("header:x-tenant",)))


def test_nothing_answers_another_key() -> None:
    assert a_deck(a_track("q")).recorded(match_key(asking("x")), cassette="c", prefer=()) is None
