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
        ("POST", "/v1beta/models/gemini-2.5-flash:generateContent", "gemini"),
        ("POST", "/v1beta/models/gemini-2.5-flash:streamGenerateContent", "gemini"),
        ("POST", "/v1beta/tunedModels/mine:generateContent/", "gemini"),
        (
            "POST",
            "/v1/projects/p/locations/l/publishers/google/models/gemini-2.5-pro:generateContent",
            "gemini",
        ),
        ("GET", "/v1beta/models/gemini-2.5-flash:generateContent", "http"),
        ("POST", "/v1beta/models/gemini-2.5-flash:countTokens", "http"),
        ("POST", "/v1beta/models/:generateContent", "http"),
        ("GET", "/v1/models", "http"),
        ("POST", "/v1beta/interactions", "gemini_interactions"),
        ("GET", "/v1beta/interactions/v1_1", "http"),
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


SAID_BY_THE_BODY = [protocol for protocol in PROTOCOLS if protocol.name != "gemini"]


@pytest.mark.parametrize("protocol", SAID_BY_THE_BODY, ids=lambda protocol: protocol.name)
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
    assert protocol.read_request("/v1/any", body) == view


@pytest.mark.parametrize(
    ("path", "body", "model"),
    [
        ("/openai/deployments/my-gpt/chat/completions", {}, "my-gpt"),
        ("/openai/deployments/my%20gpt/embeddings", UNREADABLE, "my gpt"),
        ("/openai/deployments/%ff/chat/completions", {}, "\ufffd"),
        ("/openai/deployments/my-gpt/chat/completions", {"model": "gpt-4o"}, "gpt-4o"),
        ("/openai/deployments/my-gpt", {}, None),
        ("/deployments/my-gpt/chat/completions", {}, None),
    ],
)
def test_the_model_is_the_deployment_of_azure_if_the_body_names_none(
    path: str, body: object, model: str | None
) -> None:
    assert detect("POST", path).read_request(path, body).model == model


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
    + ["interaction.completed", "step.start", "step.delta", "thought_summary", "AUDIO"]
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
    + ["candidates", "parts", "thought", "functionCall", "args", "finishReason", "usageMetadata"]
    + ["promptTokenCount", "thoughtsTokenCount", "promptFeedback", "blockReason", "inlineData"]
    + ["promptTokensDetails", "modality", "tokenCount", "audio_tokens", "cached_tokens_details"]
    + ["interaction", "event_type", "step", "steps", "total_input_tokens", "total_thought_tokens"]
    + ["input_tokens_by_modality", "tokens", "temperature", "stop", "seed", "n", "response_format"]
    + ["cache_creation", "ephemeral_1h_input_tokens", "service_tier", "generationConfig"]
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
    for document in documents:
        asked = protocol.read_request("", document)
        json.dumps(asdict(asked), ensure_ascii=False).encode()


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
