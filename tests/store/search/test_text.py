"""Which words of an exchange are searched, and which of them it shares with others."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from replayproxy.model import Chunk
from replayproxy.store.search.text import Text, text_of
from tests.builders import DONE, JSON, a_head, a_request, an_exchange, chunks, says


def text(body: object, *answer: bytes, **given: Any) -> Text:
    request = a_request(body=body if isinstance(body, bytes) else json.dumps(body).encode())
    pieces = [Chunk(offset_ns=at, data=data) for at, data in enumerate(answer)]
    return text_of(an_exchange(request=request, **given), tuple(pieces))


def asked(*messages: tuple[str, object], **more: object) -> dict[str, object]:
    return {"messages": [{"role": role, "content": said} for role, said in messages], **more}


def test_what_came_after_the_models_last_turn_is_new_and_the_rest_is_repeated() -> None:
    found = text(
        asked(("system", "Be kind."), ("user", "One?"), ("assistant", "1"), ("user", "Two?")),
        says("It is "),
        says("2"),
        DONE,
    )

    assert (found.repeated, found.new) == (("Be kind.", "One?", "1"), ("Two?",))
    assert (found.answer, found.echo) == ("It is 2", "It is 2")


def test_a_first_question_is_new_and_its_instructions_are_repeated() -> None:
    found = text(asked(("developer", "Be kind."), ("user", "One?")))

    assert (found.repeated, found.new) == (("Be kind.",), ("One?",))


def test_words_put_into_the_models_mouth_are_new() -> None:
    found = text(asked(("user", "A poem"), ("assistant", "The first line is")))

    assert (found.repeated, found.new) == ((), ("A poem", "The first line is"))


def test_an_anthropic_request_has_its_system_apart() -> None:
    found = text(asked(("user", [{"type": "text", "text": "One?"}]), system="Be kind."))

    assert (found.repeated, found.new) == (("Be kind.",), ("One?",))


def test_a_call_reads_the_same_as_an_answer_and_as_history() -> None:
    call = {"id": "c", "type": "function"}
    said = {"choices": [{"index": 0, "delta": {"tool_calls": [
        {"index": 0, **call, "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}}
    ]}}]}  # fmt: skip
    answer = text(asked(("user", "?")), b"data: " + json.dumps(said).encode() + b"\n\n", DONE)
    history = asked(("user", "?"), ("tool", "12 degrees"))
    history["messages"].insert(1, {  # type: ignore[attr-defined]
        "role": "assistant", "content": None,
        "tool_calls": [{**call, "function": {"name": "weather", "arguments": '{"city":"Oslo"}'}}],
    })  # fmt: skip

    assert answer.echo == 'weather {"city":"Oslo"}'
    assert text(history).repeated == ("?", 'weather {"city":"Oslo"}')
    assert text(history).new == ("12 degrees",)


def test_conversations_that_begin_the_same_have_the_same_opening_and_thread() -> None:
    first = text(asked(("system", "S"), ("user", "One?")))
    later = text(asked(("system", "S"), ("user", "One?"), ("assistant", "1"), ("user", "Two?")))
    other = text(asked(("system", "S"), ("user", "Other?")))

    assert (first.opening, first.thread) == (later.opening, later.thread)
    assert first.opening == other.opening
    assert first.thread != other.thread


def test_pictures_are_no_words() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}
    found = text(asked(("user", [{"type": "text", "text": "What is this?"}, picture])))

    assert found.new == ("What is this?",)
    assert text({"pixels": "x" * 2000}).new == ()
    assert text({"words": "雨" * 2000}).new == ("雨" * 2000,)


def test_an_api_we_do_not_know_is_searched_for_any_text_in_its_json() -> None:
    found = text(
        {"query": "which town", "documents": ["Oslo", {"text": "Lisbon"}]},
        b'{"results": [{"document": "Bergen", "score": 0.5}]}',
        head=a_head(headers=JSON),
    )

    assert found.new == ("which town\nOslo\nLisbon",)
    assert found.answer == "Bergen"


def test_the_providers_error_is_part_of_the_answer() -> None:
    found = text({}, b'{"error": {"message": "Rate limit"}}', head=a_head(headers=JSON, status=429))

    assert found.answer == "Rate limit"


@given(
    body=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(
            st.sampled_from(["messages", "role", "content", "system", "input", "type", "text",
                "tool_calls", "function", "name", "arguments", "parts"]), inner),
        max_leaves=30,
    ),
    answer=st.binary(),
)  # fmt: skip
def test_nothing_on_the_wire_is_an_error(body: object, answer: bytes) -> None:
    found = text(body, answer, says("x"))

    for said in (*found.repeated, *found.new, found.answer, found.echo):
        said.encode()


def test_bodies_that_were_not_kept_have_no_words() -> None:
    assert text(b"").new == ()
    assert text_of(an_exchange(head=None), chunks()).answer == ""
