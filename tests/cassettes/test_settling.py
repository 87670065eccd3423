"""Recording again leaves alone what says the same."""

import json
from dataclasses import replace
from datetime import timedelta

from replayproxy.cassettes import Cassette, Track, joined, settled
from replayproxy.model import Chunk, Ending
from tests.builders import DONE, JSON, NOON, a_head, a_request, an_exchange, asking

DAY = NOON.date()


def streamed(*words: str, id: str = "c1", asked: str = "q", gap_ns: int = 10) -> Track:
    """A stream as it comes, with an id and a rhythm of its own."""
    events = [
        {"id": id, "created": gap_ns, "choices": [{"index": 0, "delta": {"content": word}}]}
        for word in words
    ]
    data = [f"data: {json.dumps(event)}\n\n".encode() for event in events]
    found = tuple(Chunk(offset_ns=i * gap_ns, data=d) for i, d in enumerate([*data, DONE]))
    return Track(exchange=an_exchange(request=asking(asked)), chunks=found)


def whole(body: object, **head: object) -> Track:
    data = json.dumps(body).encode()
    exchange = an_exchange(
        request=a_request(path="/v1/models"), head=a_head(**{"headers": JSON, **head})
    )
    return Track(exchange=exchange, chunks=(Chunk(offset_ns=1, data=data),))


def of(*tracks: Track, days: int = 0) -> Cassette:
    return Cassette(tracks=tracks, recorded=DAY + timedelta(days=days))


def test_ids_dates_times_and_borders_are_no_news() -> None:
    old = of(streamed("a", "b"))
    again = streamed("ab", id="c2", gap_ns=700)

    assert settled(of(again, days=1), old) is old


def test_another_answer_is_news_and_the_rest_stays() -> None:
    old = of(streamed("a", asked="1"), streamed("b", asked="2"))
    new = of(streamed("a", asked="1", id="x"), streamed("B", asked="2", id="y"), days=1)

    found = settled(new, old)

    assert found.tracks == (old.tracks[0], new.tracks[1])
    assert found.recorded == new.recorded


def test_what_was_not_asked_again_goes_and_what_is_new_comes() -> None:
    old = of(streamed("a", asked="1"), streamed("b", asked="2"))
    new = of(streamed("b", asked="2", id="x"), streamed("c", asked="3"))

    assert settled(new, old).tracks == (old.tracks[1], new.tracks[1])


def test_the_order_of_parallel_requests_is_no_news() -> None:
    old = of(streamed("a", asked="1"), streamed("b", asked="2"), streamed("c", asked="3"))
    new = of(
        streamed("c", asked="3", id="x"), streamed("B", asked="2"), streamed("a", asked="1", id="y")
    )

    found = settled(new, old)

    assert found.tracks == (old.tracks[0], old.tracks[2], new.tracks[1])


def agent(call_id: str, answer: str, *, tool: str = "look") -> list[Track]:
    """An agent loop: a tool call, and a request that sends its id along."""
    call = {"index": 0, "id": call_id, "function": {"name": tool, "arguments": "{}"}}
    event = {
        "id": f"chatcmpl-{call_id}",
        "choices": [{"index": 0, "delta": {"tool_calls": [call]}}],
    }
    first = a_stream(f"data: {json.dumps(event)}\n\n".encode(), asked="go")
    return [first, streamed(answer, asked=f"result of {call_id}", id=f"chatcmpl-of-{call_id}")]


def a_stream(*data: bytes, asked: str) -> Track:
    found = tuple(Chunk(offset_ns=1, data=d) for d in (*data, DONE))
    return Track(exchange=an_exchange(request=asking(asked)), chunks=found)


def test_ids_that_an_agent_sends_along_are_no_news() -> None:
    old = of(*agent("call_abcdefgh", "done"))

    assert settled(of(*agent("call_12345678", "done")), old) is old


def test_an_answer_stays_only_if_what_came_of_its_ids_does() -> None:
    old = of(*agent("call_abcdefgh", "done"), streamed("x", asked="else"))
    new = of(*agent("call_12345678", "undone"), streamed("x", asked="else", id="z"))

    assert settled(new, old).tracks == (*new.tracks[:2], old.tracks[2])


def test_what_came_of_an_answer_does_not_stay_without_it() -> None:
    old = of(*agent("call_abcdefgh", "done"), *agent("call_abcdefgh", "more")[1:])
    new = of(*agent("call_12345678", "done"), *agent("call_12345678", "less")[1:])

    assert settled(new, old).tracks == new.tracks


def test_equal_requests_keep_their_order() -> None:
    old = of(streamed("pending"), streamed("done"))
    new = of(streamed("done", id="x"), streamed("pending", id="y"))

    assert settled(new, old).tracks == (old.tracks[1], old.tracks[0])


def test_the_day_is_renewed_once_it_is_a_week_old() -> None:
    old = of(streamed("a"))

    found = settled(of(streamed("a", id="x"), days=7), old)

    assert found == replace(old, recorded=DAY + timedelta(days=7))


def test_a_status_an_ending_or_a_value_is_news() -> None:
    old = whole({"data": [1]})
    others = [
        whole({"data": [1]}, status=500),
        whole({"data": [2]}),
        whole({"data": [1]}, headers=()),
        replace(old, exchange=replace(old.exchange, ending=Ending.UPSTREAM_CLOSED)),
    ]

    for other in others:
        assert settled(of(other), of(old)).tracks == (other,)
    assert settled(of(whole({"data": [1]}, reason="Fine")), of(old)).tracks == (old,)


def test_recording_more_keeps_what_this_run_did_not_ask_for() -> None:
    old = of(streamed("a", asked="1"), streamed("b", asked="2"))
    new = of(streamed("B", asked="2"), streamed("c", asked="3"))

    assert joined(new, old).tracks == (old.tracks[0], *new.tracks)
