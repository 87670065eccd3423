"""A stream is read the same, whether its events are parsed or seen to be like the one before."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replayproxy.protocols import detect
from replayproxy.protocols.stencil import Stencil
from replayproxy.sse import ServerSentEvent

TEXTS = st.one_of(
    st.sampled_from(
        ["", "a", " b", '"', "\\", "\n", "é", "日本", "\u2028", "content", '"content":"']
    ),
    st.text(max_size=5),
)
MORE: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [
        {},
        {"role": "assistant"},
        {"refusal": None},
        {"refusal": "no"},
        {"reasoning_content": "hm"},
        {"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{"}}]},
        {"audio": {"transcript": "la"}},
    ]
)
AROUND: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [
        {"id": "1", "model": "m"},
        {"id": "1", "model": "m"},
        {"id": "2", "service_tier": "x"},
        {"usage": {"prompt_tokens": 1, "completion_tokens": 2}},
        {"error": {"message": "slow down"}},
        {"content": "elsewhere"},
    ]
)


@st.composite
def events(draw: st.DrawFn) -> str:
    delta = {"content": draw(TEXTS), **draw(MORE)}
    choice = {
        "index": draw(st.sampled_from([0, 0, 0, 1, -1, None])),
        "delta": delta,
        "finish_reason": draw(st.sampled_from([None, None, None, "stop"])),
    }
    choices = [choice] * draw(st.sampled_from([1, 1, 1, 0, 2]))
    body = {**draw(AROUND), "choices": choices}
    separators = draw(st.sampled_from([(",", ":"), (", ", ": "), (", ", " : ")]))
    return json.dumps(body, ensure_ascii=draw(st.booleans()), separators=separators)


@given(
    st.lists(events(), min_size=1, max_size=4).flatmap(
        lambda some: st.lists(st.sampled_from(some), max_size=30)
    )
)
def test_it_changes_nothing_of_what_is_read(stream: list[str]) -> None:
    protocol = detect("POST", "/v1/chat/completions")
    reader, parsing = protocol.reader(), protocol.reader()

    for data in stream:
        event = ServerSentEvent(data=data)
        assert reader.read_event(event) == protocol.reader().read_event(event)
        parsing.read_json(json.loads(data))

    assert reader.answer() == parsing.answer()


@pytest.mark.parametrize(
    ("laid", "other"),
    [
        ('{"content":"a","n":1}', '{"content":"b","n":2}'),
        ('{"content":"a","n":1}', '{"content":"b","n":1} '),
        ('{"content":"a"}', '{"content":"say \\"b\\""}'),
        ('{"content":"a"}', '{"content":"b","content":"c"}'),
        ('{"content":"a"}', '{"content":"\t"}'),
        ('{"content":"a"}', '{"content":"'),
        ('{"x":{"content":"a"},"content":"a"}', '{"x":{"content":"b"},"content":"a"}'),
        ('{"content":"a","\\u0063ontent":"a"}', '{"content":"b","\\u0063ontent":"a"}'),
        ('{"content" : "a"}', '{"content" : "b"}'),
    ],
)
def test_what_is_not_quite_the_same_has_to_be_parsed(laid: str, other: str) -> None:
    stencil = Stencil("content")
    stencil.lay(laid, "a")

    assert stencil.text(other) is None


def test_choices_that_take_turns_stay_apart() -> None:
    reader = detect("POST", "/v1/chat/completions").reader()
    for number in range(20):
        choice = {"index": number % 2, "delta": {"content": f"{number} "}}
        reader.read_event(ServerSentEvent(data=json.dumps({"choices": [choice]})))

    even, odd = (choice.text for choice in reader.answer().choices)
    assert even == "0 2 4 6 8 10 12 14 16 18 "
    assert odd == "1 3 5 7 9 11 13 15 17 19 "


def test_a_stream_whose_events_are_not_alike_costs_few_tries() -> None:
    stencil = Stencil("content")
    for number in range(8):
        assert stencil.lay(f'{{"n":{number},"content":"a"}}', "a")

    assert not stencil.lay('{"n":9,"content":"a"}', "a")
    assert stencil.text('{"n":9,"content":"b"}') is None
