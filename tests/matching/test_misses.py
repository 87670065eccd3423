"""The closest of what was recorded."""

import json

from replayproxy.matching import Canonical, Miss, canonical, explain
from replayproxy.matching.differences import Difference
from tests.builders import a_request, asking


def body(value: object) -> Canonical:
    return canonical(a_request(body=json.dumps(value).encode()))


def test_the_closest_is_the_one_with_the_fewest_differences() -> None:
    recorded = [
        body({"model": "m"}),
        body({"model": "m", "messages": [1, 2, 4]}),
        body({"model": "other", "messages": [5]}),
        canonical(a_request(method="GET", path="/elsewhere", body=b"x")),
    ]

    miss = explain(body({"model": "m", "messages": [1, 2, 3]}), enumerate(recorded, start=1))

    first = Difference(path="$.messages[2]", asked="3", recorded="4")
    assert miss == Miss(closest_id=2, difference=first, compared=4, alike=1)


def test_of_equally_many_differences_the_more_alike_text_is_closer_and_else_the_first() -> None:
    texts = ["Tell me a joke", "Translate: good evening", "Translate: good night", "x", "y"]
    recorded = [(n, canonical(asking(text))) for n, text in enumerate(texts, start=1)]

    assert explain(canonical(asking("Translate: good morning")), recorded).closest_id == 2
    assert explain(canonical(asking("Translate: good nights")), recorded).closest_id == 3
    assert explain(canonical(asking("z")), recorded).closest_id == 4


def test_it_is_counted_how_many_would_match_if_the_place_were_ignored() -> None:
    asked = body({"meta": {"id": 1, "at": 5}, "n": 1})
    recorded = [
        body({"meta": {"id": 2, "at": 5}, "n": 1}),
        body({"meta": {"id": 3, "at": 5}, "n": 1}),
        body({"meta": {"id": 3, "at": 5}, "n": 2}),
        body({"meta": 7, "n": 1}),
    ]

    miss = explain(asked, enumerate(recorded, start=1))

    assert (miss.closest_id, miss.alike, miss.compared) == (1, 2, 4)
    assert miss.difference
    assert (miss.difference.path, miss.difference.in_json) == ("$.meta.id", True)


def test_a_place_inside_the_one_that_differs_belongs_to_it() -> None:
    asked = body({"meta": None})
    recorded = [body({"meta": {"id": 2}}), body({"meta": [1, 2]})]

    assert explain(asked, enumerate(recorded)).alike == 2
    assert explain(recorded[0], [(1, body({"meta": {"id": 3}})), (2, asked)]).alike == 1


def test_without_anything_to_compare_with_there_is_nothing_close() -> None:
    assert explain(body(1), []) == Miss()


def test_an_equal_one_is_the_closest_and_differs_nowhere() -> None:
    assert explain(body(1), [(1, body(2)), (2, body(1))]) == Miss(closest_id=2, compared=2)
