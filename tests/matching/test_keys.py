"""What makes two requests the same, and how the difference is told."""

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replayproxy.matching import Difference, canonical, differences, match_key
from replayproxy.matching.differences import ABSENT
from replayproxy.model import Request
from tests.builders import a_request

documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


def body(value: object) -> Request:
    return a_request(body=json.dumps(value).encode())


def raw(data: bytes) -> Request:
    return a_request(body=data)


def first_difference(asked: Request, recorded: Request) -> Difference | None:
    return next(differences(canonical(asked), canonical(recorded)), None)


def a_form(data: bytes) -> Request:
    return a_request(
        headers=(("Content-Type", "application/x-www-form-urlencoded; charset=utf-8"),), body=data
    )


def multipart(boundary: str, *, quoted: bool = False, text: str = "hi") -> Request:
    """A body as `requests` and `curl -F` make it, each time with another boundary."""
    name = f'"{boundary}"' if quoted else boundary
    body = f'--{boundary}\r\nContent-Disposition: form-data; name="a"\r\n\r\n{text}\r\n'
    return a_request(
        headers=(("content-type", f"multipart/form-data; boundary={name}"),),
        body=f"{body}--{boundary}--\r\n".encode(),
    )


def shuffled(value: Any, seed: random.Random) -> Any:
    """The same document with the keys of all its objects in another order."""
    if isinstance(value, dict):
        names = list(value)
        seed.shuffle(names)
        return {name: shuffled(value[name], seed) for name in names}
    return [shuffled(item, seed) for item in value] if isinstance(value, list) else value


SAME = [
    (raw(b'{"a": 1, "b": [2, {"c": 3, "d": 4}]}'), raw(b'{"b":[2.0,{"d":4e0,"c":3}],"a":10e-1}')),
    (raw(b'{"t": 0.10}'), raw(b'{"t": 1e-1}')),
    (raw(b'{"t": -0.0}'), raw(b'{"t": 0}')),
    (raw(b'{"t": "caf\\u00e9"}'), raw('{"t": "café"}'.encode())),
    (raw(b'{"t": 1, "t": 2}'), raw(b'{"t": 2}')),
    (raw(b"not json"), raw(b"not json")),
    (a_form(b"b=2&a=%7E1+x"), a_form(b"a=~1%20x&b=2")),
    (multipart("1a2b"), multipart("----WebKit'()", quoted=True)),
    (a_request(method="post"), a_request(method="POST")),
    (a_request(query="b=2&a=1"), a_request(query="a=1&b=2")),
    (a_request(query="a=1&key=mine"), a_request(query="key=yours&a=1")),
    (a_request(query="a=1&"), a_request(query="a=1")),
    (
        a_request(host="localhost", port=8080, scheme="http", http_version="HTTP/2.0"),
        a_request(headers=(("authorization", "Bearer other"), ("x-stainless-retry-count", "2"))),
    ),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_what_is_asked_the_same_has_the_same_key(one: Request, other: Request) -> None:
    assert match_key(one) == match_key(other)
    assert first_difference(one, other) is None


DIFFERENT = [
    (a_request(method="GET"), a_request(), "method", "GET", "POST"),
    (a_request(path="/a"), a_request(path="/b"), "path", "/a", "/b"),
    (a_request(query="a=1"), a_request(query="a=2&sig=x"), "query", "a=1", "a=2"),
    (a_request(query="a=1"), a_request(), "query", "a=1", ""),
    (raw(b"abc"), raw(b"abcd"), "body", '"abc"', '"abcd"'),
    (raw(b"\xff\x00"), raw(b"\xff"), "body", "2 bytes", "1 bytes"),
    (raw(b""), body({}), "body", "nothing", "JSON"),
    (a_form(b"a=1"), a_form(b"a=2"), "body", '"a=1"', '"a=2"'),
    (a_form(b"\xff"), a_form(b"not a form"), "body", "1 bytes", '"not a form"'),
    (body({"a b": [1]}), body({"a b": [2]}), '$["a b"][0]', "1", "2"),
    (body({"a": 1}), body({"a": 2}), "$.a", "1", "2"),
    (body({"a": 1}), body({"a": True}), "$.a", "1", "true"),
    (body({"a": 0}), body({"a": None}), "$.a", "0", "null"),
    (body({"a": "1"}), body({"a": 1}), "$.a", '"1"', "1"),
    (body({"a": 1}), body({}), "$.a", "1", ABSENT),
    (body({}), body({"a": 1}), "$.a", ABSENT, "1"),
    (body({"a": {"b": [0, 1]}}), body({"a": {"b": [0, 2]}}), "$.a.b[1]", "1", "2"),
    (body({"a": [0]}), body({"a": [0, 1]}), "$.a[1]", ABSENT, "1"),
    (body({"a": [0, 1]}), body({"a": [0]}), "$.a[1]", "1", ABSENT),
    (body({"a": []}), body({"a": {}}), "$.a", "[]", "{}"),
    (body({"a": {}}), body({"a": "café"}), "$.a", "{}", '"café"'),
    (body([1]), body({"a": 1}), "$", "[1]", '{"a": 1}'),
    (body({"b": 1, "a": 1}), body({"a": 2, "b": 2}), "$.b", "1", "2"),
    (raw(b'{"a": NaN, "b": 1}'), raw(b'{"a": NaN, "b": 2}'), "$.b", "1", "2"),
    (
        body({"model": "m", "messages": [{"role": "user", "content": "hi"}]}),
        body({"model": "m", "messages": [{"role": "user", "content": "ho"}]}),
        "$.messages[0].content",
        '"hi"',
        '"ho"',
    ),
]


@pytest.mark.parametrize(("asked", "recorded", "path", "here", "there"), DIFFERENT)
def test_every_difference_makes_another_key_and_is_told_with_its_path(
    asked: Request, recorded: Request, path: str, here: str, there: str
) -> None:
    assert match_key(asked) != match_key(recorded)
    assert first_difference(asked, recorded) == Difference(path=path, asked=here, recorded=there)


@given(documents, st.randoms(use_true_random=False))
def test_the_order_of_keys_never_matters(document: object, seed: random.Random) -> None:
    one, other = body(document), body(shuffled(document, seed))

    assert match_key(one) == match_key(other)
    assert first_difference(one, other) is None


@given(documents, documents)
def test_there_is_a_difference_exactly_where_the_keys_differ(one: object, other: object) -> None:
    asked, recorded = body(one), body(other)

    same = match_key(asked) == match_key(recorded)

    assert (first_difference(asked, recorded) is None) == same


@given(st.binary(), st.binary(), st.text(), st.text())
def test_nothing_makes_it_raise(one: bytes, other: bytes, path: str, query: str) -> None:
    asked, recorded = a_request(body=one, query=query), a_request(body=other, path=path)

    assert match_key(asked).startswith("mk1:")
    first_difference(asked, recorded)


def test_a_key_has_its_version_and_never_changes_within_it() -> None:
    asked = a_request(query="b=2&a=1", body=b'{"model":"gpt-4o","n":1.0}')

    assert match_key(asked) == "mk1:1d07eb5e5c21c1fe2e378a176483c0f66187f3df"


def test_bytes_that_are_no_text_in_a_path_count_too() -> None:
    assert match_key(a_request(path="/\udcff")) != match_key(a_request(path="/\udcfe"))


@pytest.mark.parametrize("depth", [199, 201, 5_000])
def test_a_body_of_any_depth_has_a_key(depth: int) -> None:
    deep = b'{"a":' * depth + b"1" + b"}" * depth

    assert match_key(raw(deep)) == match_key(raw(deep))
    assert match_key(raw(deep)) != match_key(raw(deep.replace(b"1", b"2")))


def test_the_parts_of_a_request_cannot_be_taken_for_one_another() -> None:
    requests = [
        a_request(path="/ab"),
        a_request(path="/a", query="b"),
        a_request(path="/a", body=b"b"),
        a_request(path="/", query="ab"),
        a_request(path="/", body=b"ab"),
    ]

    assert len({match_key(request) for request in requests}) == len(requests)


def test_a_query_is_sorted_and_without_secrets() -> None:
    assert canonical(a_request(query="b=2&&a=1&api_key=x&b=1")).query == "a=1&b=1&b=2"


@given(documents, documents)
def test_all_differences_are_told(one: object, other: object) -> None:
    asked, recorded = canonical(body({"a": one, "b": 1})), canonical(body({"a": other, "b": 2}))

    paths = [difference.path for difference in differences(asked, recorded)]

    assert paths[-1] == "$.b"
    assert len(set(paths)) == len(paths)
    assert (len(paths) == 1) == (match_key(body(one)) == match_key(body(other)))
