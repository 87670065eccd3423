"""The events of a stream beside what is read from them, on bytes as they are on the wire."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from replayproxy.dashboard import stream_events
from replayproxy.dashboard.stream_events import MAX_DATA, StreamEvents, read_events, read_rows
from replayproxy.model import Chunk, Exchange, Outcome, Request, ResponseHead
from tests.dashboards.sample import call, data, delta, stream, tool_answer

CHAT = "/v1/chat/completions"


def read(
    *pieces: bytes,
    path: str = CHAT,
    outcome: Outcome | None = Outcome.COMPLETED,
    shown: range = range(100),
    whole: bool = True,
) -> StreamEvents:
    chunks = [Chunk(offset_ns=number, data=piece) for number, piece in enumerate(pieces)]
    return read_events(exchange(path, outcome), chunks, shown, whole=whole)


def exchange(path: str = CHAT, outcome: Outcome | None = Outcome.COMPLETED) -> Exchange:
    return Exchange(
        started_at=datetime.now(UTC),
        request=Request(method="POST", scheme="https", host="h", port=443, path=path),
        head=ResponseHead(
            offset_ns=1, status=200, headers=(("content-type", "text/event-stream"),)
        ),
        streamed=True,
        outcome=outcome,
    )


def found(events: StreamEvents) -> list[list[tuple[str, str]]]:
    return [list(event.found) for row in events.rows for event in row.events]


def event(kind: str, **more: object) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **more})}\n\n".encode()


def pieces(answer: Sequence[tuple[float, bytes]]) -> list[bytes]:
    return [piece for _, piece in answer]


def test_each_event_says_what_was_read_from_it() -> None:
    events = read(*pieces(tool_answer()))

    assert found(events) == [
        [("role", "assistant")],
        [("reasoning", "The user wants to know about rain. ")],
        [("reasoning", "The tool says no.")],
        [("text", "No, it is ")],
        [("text", "dry in Lisbon. ")],
        [("text", "Let me look at ")],
        [("text", "tomorrow as well.")],
        [("tool call", "get_weather")],
        [("arguments", '{"city":')],
        [("arguments", '"Lisbon","day":1}')],
        [("finish", "tool_calls")],
        [("usage", "812 input, 64 output, 21 reasoning"), ("cost", "$0.00267")],
        [("end", "complete")],
    ]


def test_the_answer_so_far_grows_with_its_chunks() -> None:
    events = read(*pieces(tool_answer()))

    assert events.said == (
        "The user wants to know about rain. The tool says no.\n\n"
        "No, it is dry in Lisbon. Let me look at tomorrow as well.\n\n"
        'get_weather {"city":"Lisbon","day":1}'
    )
    assert events.said[: events.said_to[3]].endswith("No, it is ")
    assert [row.said_to for row in events.rows] == list(events.said_to)
    assert events.said_to[-1] == len(events.said)


def test_an_event_belongs_to_the_chunk_in_which_it_ended() -> None:
    whole = delta(content="torn")

    events = read(whole[:20], whole[20:] + delta(content="two"), b": ping\n\n")

    assert [len(row.events) for row in events.rows] == [0, 2, 0]
    assert events.rows[0].text == whole[:20].decode()
    assert events.said_to == (0, 7, 7)


def test_several_choices_and_calls_are_told_apart() -> None:
    first = {"index": 0, "delta": {"content": "A"}}
    second = {"index": 1, "delta": {"content": "B"}}

    events = read(data({"choices": [first, second]}), call(function={"name": "f"}))

    assert found(events)[0] == [("text 0", "A"), ("text 1", "B")]
    assert events.said == "A\n\nB\n\nf "


def test_what_the_responses_api_says_again_is_not_counted_twice() -> None:
    text = {"type": "message", "content": [{"type": "output_text", "text": "Hello"}]}
    events = read(
        event("response.output_text.delta", delta="Hel"),
        event("response.output_text.delta", delta="lo"),
        event("response.output_text.done", text="Hello"),
        event("response.completed", response={"status": "completed", "output": [text]}),
        path="/v1/responses",
    )

    assert events.said == "Hello"
    assert [row.events[0].name for row in events.rows][-1] == "response.completed"
    assert found(events)[-1] == [("text", "Hello"), ("finish", "completed"), ("end", "complete")]


def test_anthropics_events_are_read_one_by_one() -> None:
    events = read(
        event("content_block_delta", index=0, delta={"type": "thinking_delta", "thinking": "Hm."}),
        event("content_block_delta", index=1, delta={"type": "text_delta", "text": "Yes."}),
        event("ping"),
        path="/v1/messages",
    )

    assert found(events) == [[("reasoning", "Hm.")], [("text", "Yes.")], []]
    assert events.said == "Hm.\n\nYes."


def test_a_type_that_only_the_data_says_is_the_events_name() -> None:
    events = read(data({"type": "response.created"}), data({"x": 1}), path="/v1/responses")

    assert [row.events[0].name for row in events.rows] == ["response.created", "message"]


def test_a_last_event_without_its_blank_line_is_told_once_the_exchange_has_ended() -> None:
    torn = b'data: {"choices": []}'

    assert found(read(torn)) == [[("odd", "no blank line after it")]]
    assert found(read(torn, outcome=None)) == []
    assert found(read(torn, whole=False)) == []


def test_long_data_is_cut_and_counted() -> None:
    events = read(delta(content="x" * 8_000_000))

    (row,) = events.rows
    assert len(row.events[0].data) == MAX_DATA
    assert row.events[0].left_out > 7_900_000
    assert len(row.events[0].found[0][1]) == MAX_DATA
    assert events.said_to == (stream_events.MAX_SAID,)


def test_only_the_chunks_asked_for_become_rows() -> None:
    words = [delta(content=f"{number} ") for number in range(50)]

    events = read(*words, shown=range(10, 12))

    assert [row.events[0].found for row in events.rows] == [(("text", "10 "),), (("text", "11 "),)]
    assert len(events.said_to) == 50


def test_a_body_that_is_no_stream_has_no_events() -> None:
    plain = Exchange(
        started_at=datetime.now(UTC),
        request=exchange().request,
        head=ResponseHead(offset_ns=1, status=200),
    )

    events = read_events(plain, [Chunk(offset_ns=1, data=b"\x00\x01")], range(9))

    assert [(row.events, row.text) for row in events.rows] == [((), None)]


def test_without_an_answer_there_is_nothing() -> None:
    unanswered = Exchange(started_at=datetime.now(UTC), request=exchange().request)

    assert read_events(unanswered, [], range(9)) == StreamEvents()


def test_rows_of_the_middle_are_those_of_the_whole() -> None:
    words = [delta(content=f"{number} ") for number in range(50)]
    torn = [piece for word in words for piece in (word[:10], word[10:])]
    chunks = [Chunk(offset_ns=number, data=piece) for number, piece in enumerate(torn)]
    whole = read_events(exchange(), chunks, range(100)).rows

    for first in (0, 1, 41, 98, 99, 100, 500):
        rows = read_rows(exchange(), chunks, range(first, first + 7))
        expected = whole[first : first + 7]
        assert [(row.events, row.text) for row in rows] == [(r.events, r.text) for r in expected]


@given(st.lists(st.binary(max_size=40) | st.sampled_from(pieces(stream(["a", "b"]))), max_size=8))
def test_no_bytes_make_it_fail(given_pieces: list[bytes]) -> None:
    events = read(*given_pieces)

    assert list(events.said_to) == sorted(events.said_to)
    assert len(events.rows) == len(given_pieces)
    assert len(events.said) == (events.said_to[-1] if events.said_to else 0)
