"""From bytes and times to an exchange: what is known of it, and how it ended."""

import gzip
import json
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replayproxy.content_coding import Decoder
from replayproxy.model import (
    Answer,
    Chunk,
    Ending,
    Exchange,
    Headers,
    Outcome,
    Request,
    ResponseHead,
    Usage,
)
from replayproxy.protocols import openai_chat
from replayproxy.recording import MAX_JSON_BYTES, Policy, Recording, read_answer
from tests.builders import (
    DONE,
    EVENTS,
    JSON,
    NOON,
    a_head,
    a_request,
    asking,
    chunks,
    says,
)

HELLO = says("Hello")
STOP = b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n'
FAULT = b'data: {"error":{"message":"overloaded"}}\n\n'


def a_recording(request: Request | None = None, policy: Policy | None = None) -> Recording:
    return Recording(
        request=request or asking(),
        started_at=NOON,
        cassette="default",
        decoder=Decoder,
        policy=policy,
    )


def recorded(
    *body: Chunk,
    request: Request | None = None,
    head: ResponseHead | None = None,
    ending: Ending = Ending.FINISHED,
    detail: str | None = None,
    policy: Policy | None = None,
) -> Exchange:
    recording = a_recording(request, policy)
    recording.head(head or a_head())
    recording.chunks(body)
    recording.finish(ending, 99, detail=detail)
    return recording.exchange()


def answered(body: object, *, headers: Headers = JSON, **given: Any) -> Exchange:
    """A whole JSON body in two pieces."""
    data = json.dumps(body).encode()
    return recorded(*chunks((5, data[:7]), (9, data[7:])), head=a_head(headers=headers), **given)


TOLD = "the stream ended without the protocol's end"
OUTCOMES = [
    # what came, how the transport ended -> outcome, error (the transport's own detail is "why")
    ((HELLO, DONE), Ending.FINISHED, Outcome.COMPLETED, None),
    ((HELLO, DONE), Ending.CLIENT_CLOSED, Outcome.COMPLETED, None),
    ((HELLO, DONE), Ending.UPSTREAM_CLOSED, Outcome.COMPLETED, None),
    ((HELLO, DONE), Ending.INTERRUPTED, Outcome.COMPLETED, None),
    ((HELLO, DONE.rstrip()), Ending.CLIENT_CLOSED, Outcome.COMPLETED, None),
    ((HELLO,), Ending.FINISHED, Outcome.UPSTREAM_CLOSED, "why"),
    ((), Ending.FINISHED, Outcome.UPSTREAM_CLOSED, "why"),
    ((HELLO, STOP), Ending.FINISHED, Outcome.COMPLETED, None),
    ((HELLO, FAULT), Ending.FINISHED, Outcome.COMPLETED, "overloaded"),
    ((HELLO, STOP), Ending.CLIENT_CLOSED, Outcome.CLIENT_CLOSED, "why"),
    ((HELLO,), Ending.CLIENT_CLOSED, Outcome.CLIENT_CLOSED, "why"),
    ((HELLO,), Ending.UPSTREAM_CLOSED, Outcome.UPSTREAM_CLOSED, "why"),
    ((HELLO,), Ending.INTERRUPTED, Outcome.INTERRUPTED, "why"),
    ((FAULT,), Ending.UPSTREAM_CLOSED, Outcome.UPSTREAM_CLOSED, "overloaded"),
]


@pytest.mark.parametrize(("body", "ending", "outcome", "error"), OUTCOMES)
def test_the_protocols_end_decides_then_the_transports(
    body: tuple[bytes, ...], ending: Ending, outcome: Outcome, error: str | None
) -> None:
    arrived = chunks(*((number, data) for number, data in enumerate(body)))

    exchange = recorded(*arrived, ending=ending, detail="why")

    assert (exchange.outcome, exchange.error) == (outcome, error)
    assert exchange.ending is ending


def test_a_stream_that_ends_in_order_but_too_early_says_so() -> None:
    exchange = recorded(*chunks((5, HELLO)))

    assert (exchange.outcome, exchange.error) == (Outcome.UPSTREAM_CLOSED, TOLD)


def test_a_body_without_a_terminal_is_whole_when_it_ends_in_order() -> None:
    plain = a_request(method="GET", path="/v1/stream")

    for exchange in (
        answered({"choices": []}),
        recorded(*chunks((5, b"data: 1\n\n")), request=plain),
        recorded(head=a_head(status=204, headers=())),
    ):
        assert (exchange.outcome, exchange.error) == (Outcome.COMPLETED, None)


def test_a_body_that_broke_off_is_not_whole() -> None:
    exchange = answered({"choices": []}, ending=Ending.UPSTREAM_CLOSED, detail="reset by peer")

    assert (exchange.outcome, exchange.error) == (Outcome.UPSTREAM_CLOSED, "reset by peer")


def test_a_request_without_a_response_has_the_transports_reason() -> None:
    recording = a_recording()
    recording.finish(Ending.UPSTREAM_CLOSED, 7, detail="connection refused")

    exchange = recording.exchange()

    assert (exchange.head, exchange.streamed, exchange.chunk_count) == (None, False, 0)
    assert (exchange.outcome, exchange.error) == (Outcome.UPSTREAM_CLOSED, "connection refused")
    assert (exchange.end_offset_ns, exchange.first_event_ns) == (7, None)


def test_a_recording_in_flight_has_no_outcome_yet() -> None:
    recording = a_recording()
    assert (recording.exchange().outcome, recording.exchange().head) == (None, None)

    recording.head(a_head())
    recording.chunks((Chunk(offset_ns=5, data=HELLO),))

    exchange = recording.exchange()
    assert (exchange.outcome, exchange.ending, exchange.error) == (None, None, None)
    assert (exchange.end_offset_ns, exchange.first_content_ns) == (None, 5)
    assert (exchange.chunk_count, exchange.response_bytes) == (1, len(HELLO))


def test_the_first_event_and_the_first_content_are_not_comments_or_roles() -> None:
    role = b'data: {"choices":[{"delta":{"role":"assistant","content":""}}]}\n\n'

    exchange = recorded(
        *chunks((10, b": OPENROUTER PROCESSING\n\n"), (20, role[:9]), (30, role[9:])),
        *chunks((40, b": ping\n\n"), (50, HELLO + HELLO), (60, HELLO), (70, DONE)),
    )

    assert (exchange.first_event_ns, exchange.first_content_ns) == (30, 50)
    assert (exchange.end_offset_ns, exchange.chunk_count) == (99, 7)


def test_an_event_without_its_blank_line_counts_at_the_end() -> None:
    exchange = recorded(*chunks((10, HELLO.rstrip())), ending=Ending.CLIENT_CLOSED)

    assert (exchange.first_event_ns, exchange.first_content_ns) == (99, 99)


def test_of_a_body_that_is_not_a_stream_the_first_byte_counts() -> None:
    exchange = answered({"choices": [{"message": {"content": "hi"}}]})

    assert (exchange.first_event_ns, exchange.first_content_ns) == (5, None)
    assert exchange.streamed is False


def test_a_json_answer_is_read() -> None:
    exchange = answered(
        {
            "model": "gpt-4o-2024-08-06",
            "choices": [{"message": {"content": "hi"}, "finish_reason": "length"}],
            "usage": {"prompt_tokens": 3, "completion_tokens": 4, "cost": 0.5},
        },
        headers=(("Content-Type", "Application/JSON; charset=utf-8"),),
    )

    assert (exchange.protocol, exchange.request_model) == ("openai_chat", "gpt-4o")
    assert (exchange.response_model, exchange.finish_reason) == ("gpt-4o-2024-08-06", "length")
    assert exchange.usage == Usage(input_tokens=3, output_tokens=4)
    assert (str(exchange.cost_usd), exchange.cost_source) == ("0.5", "reported")


def test_an_error_body_is_read_whatever_its_json_type() -> None:
    exchange = answered(
        {"error": {"message": "slow down"}},
        headers=(("content-type", "application/problem+json"),),
    )

    assert (exchange.outcome, exchange.error) == (Outcome.COMPLETED, "slow down")


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[]", b'{"model":', b"null"])
def test_a_body_that_is_not_the_json_it_says_is_kept_all_the_same(body: bytes) -> None:
    exchange = recorded(*chunks((5, body)), head=a_head(headers=JSON))

    assert (exchange.outcome, exchange.usage) == (Outcome.COMPLETED, Usage())
    assert exchange.response_bytes == len(body)


@pytest.mark.parametrize("content_type", [None, "text/html", "application/octet-stream", ""])
def test_a_body_of_another_type_is_not_parsed(content_type: str | None) -> None:
    headers = () if content_type is None else (("content-type", content_type),)

    exchange = answered({"model": "gpt-4o-2024"}, headers=headers)

    assert (exchange.response_model, exchange.first_event_ns) == (None, 5)


def test_a_huge_json_body_is_counted_but_not_parsed() -> None:
    half = b'{"model":"gpt","x":"' + b"x" * (MAX_JSON_BYTES // 2)

    exchange = recorded(
        *chunks((1, half), (2, half), (3, half), (4, b'"}')), head=a_head(headers=JSON)
    )

    assert (exchange.response_model, exchange.response_bytes) == (None, len(half) * 3 + 2)


def test_a_compressed_stream_is_read_event_by_event() -> None:
    compressor = zlib.compressobj(wbits=31)

    def sent(event: bytes) -> bytes:
        return compressor.compress(event) + compressor.flush(zlib.Z_SYNC_FLUSH)

    wire = chunks((10, sent(b": hi\n\n")), (20, sent(HELLO)), (30, sent(STOP)), (40, sent(DONE)))

    exchange = recorded(*wire, head=a_head(headers=(*EVENTS, ("Content-Encoding", "gzip"))))

    assert (exchange.first_event_ns, exchange.first_content_ns) == (20, 20)
    assert (exchange.outcome, exchange.finish_reason) == (Outcome.COMPLETED, "stop")
    assert exchange.response_bytes == sum(len(chunk.data) for chunk in wire)


def test_a_compressed_json_body_is_read() -> None:
    data = gzip.compress(b'{"model": "gpt-4o-2024"}')
    head = a_head(headers=(*JSON, ("content-encoding", "gzip")))

    assert recorded(*chunks((5, data)), head=head).response_model == "gpt-4o-2024"


def test_what_was_asked_is_read_from_the_request() -> None:
    request = asking(model="o3", headers=(("X-AIG-Tag", "team-a"), ("x-aig-tag", "team-b")))

    exchange = recorded(request=request)

    assert (exchange.request_model, exchange.tag) == ("o3", "team-a")
    assert (exchange.request, exchange.started_at) == (request, NOON)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"model": 7}', b"\xff"])
def test_a_request_that_names_no_model_has_none(body: bytes) -> None:
    assert recorded(request=a_request(body=body)).request_model is None


def test_a_fault_in_reading_costs_the_parsed_view_and_no_bytes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def faulty(*_: object) -> bool:
        raise RuntimeError("nobody thought of this")

    monkeypatch.setattr(openai_chat._Reader, "read_event", faulty)
    recording = a_recording()
    recording.head(a_head())
    recording.chunks(chunks((5, HELLO), (9, DONE)))
    recording.finish(Ending.FINISHED, 99)

    exchange = recording.exchange()

    assert recording.unread == "RuntimeError('nobody thought of this')"
    assert (exchange.outcome, exchange.streamed) == (Outcome.COMPLETED, True)
    assert (exchange.chunk_count, exchange.response_bytes) == (2, len(HELLO + DONE))


pieces = st.sampled_from([HELLO, STOP, DONE, FAULT, b"data: ", b"{}", b"\n\n", b"\x1f\x8b\x08"])
heads = st.builds(
    a_head,
    status=st.integers(100, 599),
    headers=st.lists(
        st.tuples(
            st.sampled_from(["content-type", "content-encoding"]),
            st.sampled_from(["text/event-stream", "application/json", "gzip", "br", "x"]),
        ),
        max_size=3,
    ).map(tuple),
)
paths = st.sampled_from(["/v1/chat/completions", "/v1/messages", "/v1/responses", "/x"])


@given(heads, paths, st.binary(), st.lists(pieces | st.binary()), st.sampled_from(Ending))
def test_nothing_the_wire_brings_makes_it_raise(
    head: ResponseHead, path: str, asked: bytes, body: list[bytes], ending: Ending
) -> None:
    recording = a_recording(a_request(path=path, body=asked))
    recording.head(head)
    arrived = chunks(*enumerate(body))
    for chunk in arrived:
        recording.chunks((chunk,))
        recording.exchange()
    recording.finish(ending, len(body))

    exchange = recording.exchange()

    assert recording.unread is None
    assert exchange.outcome is not None
    assert exchange.response_bytes == sum(map(len, body))
    assert read_answer(exchange, arrived, Decoder).usage == exchange.usage


def test_bytes_that_come_before_their_head_are_counted() -> None:
    recording = a_recording()
    recording.chunks((Chunk(offset_ns=1, data=HELLO),))

    assert recording.exchange().response_bytes == len(HELLO)


def test_the_answer_of_a_stored_exchange_is_read_anew() -> None:
    arrived = chunks((5, HELLO), (6, says(" you")), (7, DONE.rstrip()))
    exchange = recorded(*arrived)

    answer = read_answer(exchange, arrived, Decoder)

    assert answer.complete
    assert [choice.text for choice in answer.choices] == ["Hello you"]


def test_without_a_response_there_is_no_answer() -> None:
    recording = a_recording()
    recording.finish(Ending.UPSTREAM_CLOSED, 7)

    assert read_answer(recording.exchange(), (), Decoder) == Answer()


def test_an_estimate_is_made_on_request_only_and_only_of_what_was_not_said() -> None:
    request = asking("12345678")
    body = chunks((5, says("word") + DONE))

    assert recorded(*body, request=request).usage_estimate is None
    estimate = recorded(*body, request=request, policy=Policy(estimate_usage=True)).usage_estimate
    assert estimate is not None
    assert (estimate.input_tokens, estimate.output_tokens) == (2, 1)


def test_what_is_no_llm_protocol_is_not_estimated() -> None:
    request = a_request(path="/v1/files", body=b'{"text": "12345678"}')

    assert recorded(request=request, policy=Policy(estimate_usage=True)).usage_estimate is None
