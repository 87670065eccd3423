"""What holds for every protocol: how it is found, and that nothing makes it raise."""

import json
from dataclasses import asdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replayproxy.json_text import UNREADABLE
from replayproxy.protocols import PROTOCOLS, Protocol, RequestView, by_name, detect
from replayproxy.sse import ServerSentEvent


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("POST", "/v1/chat/completions", "openai_chat"),
        ("post", "/api/v1/chat/completions/", "openai_chat"),
        ("POST", "/chat/completions", "openai_chat"),
        ("POST", "/openai/deployments/gpt-4o/chat/completions", "openai_chat"),
        ("GET", "/v1/chat/completions", "http"),
        ("GET", "/v1/chat/completions/chatcmpl-1/messages", "http"),
        ("POST", "/v1/completions", "http"),
        ("POST", "/v1/mychat/completions", "http"),
        ("POST", "/v1/messages", "anthropic_messages"),
        ("POST", "/anthropic/v1/messages/", "anthropic_messages"),
        ("POST", "/v1/messages/count_tokens", "http"),
        ("POST", "/v1/messages/batches", "http"),
        ("POST", "/v1/threads/thread_1/messages", "http"),
        ("POST", "/v1/responses", "openai_responses"),
        ("POST", "/openai/v1/responses/", "openai_responses"),
        ("GET", "/v1/responses", "http"),
        ("GET", "/v1/responses/resp_1", "http"),
        ("POST", "/v1/responses/resp_1/cancel", "http"),
        ("GET", "/v1/models", "http"),
        ("POST", "/", "http"),
        ("", "", "http"),
    ],
)
def test_a_protocol_is_recognised_by_method_and_path(method: str, path: str, name: str) -> None:
    assert detect(method, path).name == name


def test_a_protocol_is_found_by_its_name_and_an_unknown_name_is_plain_http() -> None:
    assert [by_name(protocol.name) for protocol in PROTOCOLS] == list(PROTOCOLS)
    assert by_name("a protocol of tomorrow").name == "http"


def test_only_plain_http_has_no_terminal() -> None:
    assert [protocol.name for protocol in PROTOCOLS if not protocol.has_terminal] == ["http"]


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
@pytest.mark.parametrize(
    ("body", "view"),
    [
        ({"model": "m", "stream": True}, RequestView(model="m", stream=True)),
        ({"model": "m", "stream": False}, RequestView(model="m", stream=False)),
        ({"model": "", "stream": None}, RequestView()),
        ({"model": 7, "stream": 1}, RequestView()),
        ({"model": "m\ud83d"}, RequestView(model="m\ufffd")),
        ([], RequestView()),
        (UNREADABLE, RequestView()),
    ],
)
def test_a_request_says_its_model_and_whether_to_stream(
    protocol: Protocol, body: object, view: RequestView
) -> None:
    assert protocol.read_request(body) == view


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
def test_an_error_body_has_its_message_and_code(protocol: Protocol) -> None:
    text = json.dumps(protocol.error_body(message="not recorded", code="replay_miss"))

    assert '"not recorded"' in text
    assert '"replay_miss"' in text


# Values that mean something to a reader, at places where they may not belong.
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=3)
    | st.sampled_from(["\ud83d", "\ude00", "a", "[DONE]"])
)
kinds = st.sampled_from(
    ["message", "message_start", "content_block_start", "content_block_delta", "message_delta"]
    + ["message_stop", "error", "text_delta", "thinking_delta", "input_json_delta", "tool_use"]
    + ["text", "thinking", "response.completed", "response.output_text.delta", "function_call"]
    + ["response.output_item.added", "response.function_call_arguments.delta", "reasoning"]
)
names = st.sampled_from(
    ["id", "model", "choices", "index", "delta", "message", "content", "text", "role", "refusal"]
    + ["tool_calls", "function", "function_call", "custom", "name", "arguments", "input", "usage"]
    + ["reasoning", "reasoning_content", "reasoning_details", "thinking", "audio", "transcript"]
    + ["error", "finish_reason", "x_groq", "cost", "prompt_tokens", "completion_tokens", "status"]
    + ["prompt_tokens_details", "content_block", "stop_reason", "partial_json", "response", "data"]
    + ["output", "item", "output_index", "summary", "incomplete_details", "input_tokens", "detail"]
)


def object_of(inner: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    fields = st.dictionaries(names, inner, max_size=6)
    return st.builds(lambda found, kind: {**found, "type": kind}, fields, kinds) | fields


documents = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | object_of(inner), max_leaves=15
)


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
@settings(deadline=None)
@given(documents=st.lists(object_of(documents), max_size=4), name=st.just("message") | kinds)
def test_no_json_makes_a_reader_raise_and_all_it_says_can_be_stored(
    protocol: Protocol, documents: list[object], name: str
) -> None:
    reader = protocol.reader()

    for document in documents:
        reader.read_event(ServerSentEvent(event=name, data=json.dumps(document)))
        reader.read_json(document)

    json.dumps(asdict(reader.answer()), ensure_ascii=False, default=str).encode()
    protocol.read_request(documents)


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
@given(data=st.text(), name=st.text())
def test_no_data_makes_a_reader_raise(protocol: Protocol, data: str, name: str) -> None:
    reader = protocol.reader()

    reader.read_event(ServerSentEvent(event=name, data=data))
    reader.read_event(ServerSentEvent(event="error", data=data))

    reader.answer()


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
def test_deep_json_is_left_out(protocol: Protocol) -> None:
    reader = protocol.reader()
    untouched = reader.answer()

    reader.read_event(ServerSentEvent(data='{"choices":' + "[" * 2_000 + "]" * 2_000 + "}"))

    assert reader.answer() == untouched
