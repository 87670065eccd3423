"""Two answers: what an engineer would call a difference, for each protocol."""

import json
from typing import Any

import pytest

from replayproxy.model import Chunk
from replayproxy.verifying.comparison import Comparison, Seen, compare, likeness
from tests.builders import EVENTS, JSON, a_head, a_request, an_exchange

PATHS = {
    "chat": "/v1/chat/completions",
    "messages": "/v1/messages",
    "responses": "/v1/responses",
    "embeddings": "/v1/embeddings",
    "ollama": "/api/chat",
}


def seen(api: str, body: bytes, *, status: int = 200, headers: Any = JSON) -> Seen:
    exchange = an_exchange(
        request=a_request(path=PATHS[api]), head=a_head(status=status, headers=headers)
    )
    return Seen.of(exchange, (Chunk(offset_ns=1, data=body),) if body else ())


def document(api: str, **members: Any) -> Seen:
    return seen(api, json.dumps(members).encode())


def stream(api: str, *events: dict[str, Any]) -> Seen:
    lines = "".join(
        f"event: {event.get('type', 'message')}\ndata: {json.dumps(event)}\n\n" for event in events
    )
    return seen(api, lines.encode(), headers=EVENTS)


def told(recorded: Seen, live: Seen, *, min_alike: float = 0.0) -> list[tuple[str, str, str]]:
    compared = compare(recorded, live, min_alike=min_alike)
    return [(d.kind, d.where, d.live) for d in compared.differences]


def message(*blocks: dict[str, Any], stop: str = "end_turn") -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": {"model": "claude-x", "usage": {"input_tokens": 3}}}
    ]
    for index, block in enumerate(blocks):
        events.append({"type": "content_block_start", "index": index, "content_block": block})
        events.append({"type": "content_block_stop", "index": index})
    events.append({"type": "message_delta", "delta": {"stop_reason": stop}})
    return [*events, {"type": "message_stop"}]


TEXT = {"type": "text", "text": "hi"}
TOOL = {"type": "tool_use", "id": "t1", "name": "look", "input": {}}


def test_a_ping_comes_by_chance() -> None:
    events = message(TEXT)

    assert told(stream("messages", *events), stream("messages", {"type": "ping"}, *events)) == []


def test_events_are_compared_by_their_type() -> None:
    recorded = stream("messages", *message(TEXT), {"type": "extra"})
    events = message(TEXT)
    events[0]["message"]["usage"] = {"input_tokens": "3"}

    assert told(recorded, stream("messages", *events, {"type": "novel"})) == [
        ("shape", "event extra", "gone"),
        ("additions", "event novel", "new"),
        ("shape", "message_start $.message.usage.input_tokens", "string"),
    ]


def test_another_tool_and_another_reason_to_stop_are_told() -> None:
    recorded = stream("messages", *message(TOOL, stop="tool_use"))
    live = stream("messages", *message({**TOOL, "name": "find"}, stop="max_tokens"))

    assert told(recorded, live) == [
        ("shape", "finish reason", "max_tokens"),
        ("shape", "tool calls", "find"),
    ]


def test_responses_are_read_by_their_items() -> None:
    def response(*parts: dict[str, Any]) -> Seen:
        output = [{"type": "message", "role": "assistant", "content": list(parts)}]
        done = {"model": "gpt-x", "status": "completed", "output": output}
        return stream("responses", {"type": "response.completed", "response": done})

    said = {"type": "output_text", "text": "hi"}
    refused = {"type": "refusal", "refusal": "no"}

    assert told(response(said), response(refused))[-1] == ("shape", "refusal", "refused")
    assert told(response(said), response(said)) == []


def test_ndjson_is_many_documents() -> None:
    def lines(*documents: dict[str, Any]) -> Seen:
        body = b"\n".join(json.dumps(document).encode() for document in documents)
        return seen("ollama", body, headers=(("content-type", "application/x-ndjson"),))

    recorded = lines({"message": {"content": "a"}, "done": False}, {"done": True})

    assert told(recorded, lines({"message": {"content": "b"}, "done": False})) == []
    assert told(recorded, lines({"done": True})) == [("shape", "$.message", "gone")]


def test_how_much_alike_what_was_said_is() -> None:
    def answer(text: str) -> Seen:
        return document("chat", choices=[{"message": {"content": text}}])

    compared: Comparison = compare(
        answer("one two three four"), answer("one two three five"), min_alike=0.8
    )

    assert compared.alike == 0.75
    assert [(d.kind, d.live) for d in compared.differences] == [("text", "75% alike")]


def test_what_no_protocol_reads_is_compared_as_text() -> None:
    a, b = document("embeddings", data=[0.5, 1]), seen("embeddings", b'{"data": [0.5,1]}')

    assert compare(a, b, min_alike=1.0) == Comparison(differences=(), alike=1.0)


def test_another_kind_of_document_says_nothing_of_its_members() -> None:
    page = seen("chat", b"<html>", headers=(("content-type", "text/html"),))
    nothing = seen("chat", b"", headers=())

    assert told(document("chat", a=1), page) == [("shape", "content-type", "text/html")]
    assert told(nothing, page) == [("shape", "content-type", "text/html")]
    assert told(page, nothing) == [("shape", "content-type", "none")]


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"[[[", b"null", b"[1]", b'{"choices":7}'])
@pytest.mark.parametrize("headers", [JSON, EVENTS, (("content-encoding", "gzip"),)])
def test_nothing_on_the_wire_makes_it_raise(body: bytes, headers: Any) -> None:
    for api in PATHS:
        answer = seen(api, body, headers=headers)

        assert compare(answer, answer, min_alike=1.0).differences == ()


def test_long_texts_are_compared_by_their_beginning() -> None:
    assert likeness("word " * 100_000, "word " * 100_000 + "end") == 1.0
