"""Matching that is more, or less, than exact."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replayproxy.errors import UsageError
from replayproxy.matching import EXACT, MatchRules, match_key, parse_normalize
from replayproxy.model import Request
from tests.builders import a_request, asking

UUID = "0f8fad5b-d9cb-469f-a165-70867728950e"
OTHER_UUID = "7c9e6679-7425-40de-944b-e07fc1f90ae7"


def body(value: object, **given: Any) -> Request:
    return a_request(body=json.dumps(value).encode(), **given)


def ignoring(*paths: str) -> MatchRules:
    return MatchRules(ignore=paths)


def normalizing(*texts: str) -> MatchRules:
    return MatchRules(normalize=tuple(parse_normalize(text) for text in texts))


SAME = [
    (ignoring("$.id"), body({"id": 1, "a": 2}), body({"id": 3, "a": 2})),
    (ignoring("$.id"), body({"id": 1, "a": 2}), body({"a": 2})),
    (ignoring("$['a b'].c"), body({"a b": {"c": 1, "d": 2}}), body({"a b": {"d": 2}})),
    (ignoring("$..ts"), body([{"ts": 1}, {"b": {"ts": 2}}]), body([{}, {"b": {}}])),
    (ignoring("$.m[*].id"), body({"m": [{"id": 1}, {"id": 2}]}), body({"m": [{}, {"id": 9}]})),
    (ignoring("$[0,2]"), body([1, 2, 3, 4]), body([9, 2, 8, 4])),
    (ignoring("$..a"), body({"a": {"a": 1}, "b": 1}), body({"b": 1})),
    (ignoring("$[?@.role == 'system']"), body([{"role": "system"}, {"x": 1}]), body([{"x": 1}])),
    (ignoring("$"), body({"a": 1}), body([2])),
    (ignoring("$.a", "$.b"), body({"a": 1, "b": 1, "c": 1}), body({"c": 1})),
    (normalizing("uuid"), body({"a": [f"id {UUID}!"]}), body({"a": [f"id {OTHER_UUID}!"]})),
    (normalizing("uuid"), a_request(path=f"/t/{UUID}"), a_request(path=f"/t/{OTHER_UUID}")),
    (normalizing("uuid"), a_request(query=f"t={UUID}"), a_request(query=f"t={OTHER_UUID}")),
    (normalizing("uuid"), a_request(body=UUID.encode()), a_request(body=OTHER_UUID.encode())),
    (normalizing("date"), asking("It is 2026-11-23."), asking("It is 2025-01-02.")),
    (
        normalizing("date"),
        asking("2026-11-23T01:02:03.5+01:00 now"),
        asking("2025-01-02 03:04:05Z now"),
    ),
    (normalizing("tmp"), asking("see /tmp/a1/b.txt"), asking("see /var/folders/xy/z.txt")),
    (normalizing("tmp"), asking("see /private/tmp/a, b"), asking("see /var/tmp/c, b")),
    (normalizing(r"v(\d+)\.\d+=v\1"), asking("v1.2"), asking("v1.3")),
    (normalizing("a=b", "b=c"), asking("a"), asking("c")),
    (normalizing("x==y"), asking("x="), asking("y")),
]


@pytest.mark.parametrize(("rules", "one", "other"), SAME)
def test_rules_make_the_same_what_they_name(
    rules: MatchRules, one: Request, other: Request
) -> None:
    assert match_key(one, rules) == match_key(other, rules)
    assert match_key(one) != match_key(other)


DIFFERENT = [
    (ignoring("$.id"), body({"id": 1, "a": 2}), body({"id": 1, "a": 3})),
    (ignoring("$.id"), body({"a": {"id": 1}}), body({"a": {"id": 2}})),
    (ignoring("$.id"), a_request(body=b"no json 1"), a_request(body=b"no json 2")),
    (normalizing("uuid"), asking(UUID), asking("no uuid")),
    (normalizing("uuid"), a_request(body=b"\xff" + UUID.encode()), a_request(body=b"\xff")),
    (normalizing("date"), asking("1.2.2026"), asking("1.3.2026")),
    (normalizing("tmp"), asking("/tmporary/a"), asking("/tmporary/b")),
    (MatchRules(on=("host",)), asking(host="a"), asking(host="b")),
    (
        MatchRules(on=("header:X-Tenant",)),
        asking(headers=(("x-tenant", "a"),)),
        asking(headers=(("x-tenant", "b"),)),
    ),
    (MatchRules(on=("header:x-tenant",)), asking(headers=(("X-Tenant", "a"),)), asking()),
]


@pytest.mark.parametrize(("rules", "one", "other"), DIFFERENT)
def test_rules_leave_all_else_different(rules: MatchRules, one: Request, other: Request) -> None:
    assert match_key(one, rules) != match_key(other, rules)


def test_what_is_ignored_is_not_taken_out_of_the_request() -> None:
    asked = body({"id": [1, 2]})

    match_key(asked, ignoring("$.id[0]"))

    assert match_key(asked) == match_key(body({"id": [1, 2]}))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: ignoring("$.a["), "--ignore '$.a[' is not a JSON path: "),
        (lambda: ignoring("id"), "--ignore 'id' is not a JSON path: it does not begin with $."),
        (lambda: normalizing("(=x"), "--normalize (=x: not a regular expression: missing ), "),
        (
            lambda: normalizing(r"a=\2"),
            "--normalize a=\\2: not a regular expression: ",
        ),
        (lambda: normalizing("phone"), "neither REGEX=TEXT nor one of: uuid, date, tmp."),
        (lambda: normalizing("=x"), "neither REGEX=TEXT"),
        (lambda: MatchRules(on=("port",)), "--match-on 'port' is neither host nor header:NAME."),
        (lambda: MatchRules(on=("header:",)), "name a header, such as header:x-tenant."),
    ],
)
def test_rules_that_make_no_sense_are_said_so(make: Any, said: str) -> None:
    with pytest.raises(UsageError) as raised:
        make()

    assert said in str(raised.value)


def test_rules_have_a_name_that_their_order_does_not_change() -> None:
    rules = MatchRules(ignore=("$.a", "$.b"), on=("host", "header:A"))

    assert rules.name == MatchRules(ignore=("$.b", "$.a"), on=("header:a", "host")).name
    assert match_key(asking(), rules).startswith(f"mk1+{rules.name}:")
    assert len({rules.name, ignoring("$.a").name, normalizing("uuid").name, EXACT.name}) == 4
    assert not EXACT
    assert match_key(asking(), EXACT) == match_key(asking())


def test_the_order_in_which_texts_are_replaced_counts() -> None:
    assert normalizing("a=b", "b=c").name != normalizing("b=c", "a=b").name


@given(
    st.lists(st.sampled_from(["$.a", "$..b", "$[0]"])),
    st.lists(st.sampled_from(["uuid", "x=y", "date"])),
    st.lists(st.sampled_from(["host", "header:a"])),
)
def test_rules_survive_being_stored(ignore: list[str], texts: list[str], on: list[str]) -> None:
    rules = MatchRules(
        ignore=tuple(ignore), normalize=tuple(map(parse_normalize, texts)), on=tuple(on)
    )

    again = MatchRules.from_json(rules.as_json())

    assert again.name == rules.name
    assert match_key(asking(UUID), again) == match_key(asking(UUID), rules)


@given(st.binary(max_size=40), st.text(max_size=20), st.text(max_size=20))
def test_nothing_that_is_asked_makes_rules_raise(data: bytes, path: str, query: str) -> None:
    rules = MatchRules(
        ignore=("$..a", "$[*]", "$"), normalize=(parse_normalize("uuid"),), on=("host", "header:a")
    )

    assert match_key(a_request(body=data, path=path, query=query), rules)


def test_the_strict_part_of_rules_only_asks_for_more() -> None:
    rules = MatchRules(ignore=("$.a",), normalize=(("a", "b"),), on=("host",))

    assert rules.strict == MatchRules(on=("host",))
    assert MatchRules(ignore=("$.a",)).strict == EXACT
