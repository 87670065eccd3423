"""The genuine llama.cpp server behaves towards a real SDK as the other tests rely on."""

import json
from pathlib import Path
from time import monotonic

import openai
import pytest
from openai.types.chat import (
    ChatCompletionChunk,
    ChatCompletionFunctionToolParam,
    ChatCompletionMessageParam,
)
from openai.types.shared_params import ResponseFormatJSONSchema

from tests.llama.fixture import LlamaServer
from tests.llama.tiny_gguf import write_model

MESSAGES: list[ChatCompletionMessageParam] = [{"role": "user", "content": "What is new?"}]

WEATHER: ChatCompletionFunctionToolParam = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Tell the weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["city", "days"],
        },
    },
}

PERSON: ResponseFormatJSONSchema = {
    "type": "json_schema",
    "json_schema": {
        "name": "person",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
            "required": ["name", "age"],
            "additionalProperties": False,
        },
    },
}


def client_of(server: LlamaServer) -> openai.OpenAI:
    return openai.OpenAI(base_url=server.base_url, api_key="none", max_retries=0)


def streamed(server: LlamaServer, *, seed: int = 1) -> list[ChatCompletionChunk]:
    with client_of(server) as client:
        stream = client.chat.completions.create(
            model="tiny",
            messages=MESSAGES,
            max_tokens=200,
            seed=seed,
            stream=True,
            stream_options={"include_usage": True},
        )
        return list(stream)


def text_of(chunks: list[ChatCompletionChunk]) -> str:
    return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)


def test_a_chat_completion_streams_text_then_a_finish_reason_then_usage(
    llama_server: LlamaServer,
) -> None:
    chunks = streamed(llama_server)

    assert text_of(chunks).endswith(".")
    assert [c.finish_reason for chunk in chunks for c in chunk.choices if c.finish_reason] == [
        "stop"
    ]
    usage = chunks[-1].usage
    assert usage is not None
    assert usage.completion_tokens > 1


def test_the_same_seed_gives_the_same_text_but_another_id(llama_server: LlamaServer) -> None:
    first, second = streamed(llama_server), streamed(llama_server)

    assert text_of(first) == text_of(second)
    assert first[0].id != second[0].id


def test_its_text_has_characters_of_two_three_and_four_bytes(llama_server: LlamaServer) -> None:
    texts = "".join(text_of(streamed(llama_server, seed=seed)) for seed in range(30))

    assert {len(character.encode()) for character in texts} == {1, 2, 3, 4}


def test_without_randomness_its_answer_comes_to_an_end(llama_server: LlamaServer) -> None:
    with client_of(llama_server) as client:
        answer = client.chat.completions.create(model="tiny", messages=MESSAGES, temperature=0)

    assert answer.choices[0].finish_reason == "stop"


def test_given_tools_it_streams_a_tool_call_with_valid_arguments(
    llama_server: LlamaServer,
) -> None:
    with client_of(llama_server) as client:
        stream = client.chat.completions.create(
            model="tiny", messages=MESSAGES, seed=1, tools=[WEATHER], stream=True
        )
        choices = [choice for chunk in stream for choice in chunk.choices]

    calls = [call.function for c in choices for call in c.delta.tool_calls or [] if call.function]
    arguments = json.loads("".join(call.arguments or "" for call in calls))
    assert calls[0].name == "get_weather"
    assert len(calls) > 2
    assert {name: type(value) for name, value in arguments.items()} == {"city": str, "days": int}
    assert choices[-1].finish_reason == "tool_calls"


def test_given_the_result_of_a_tool_it_answers_in_words(llama_server: LlamaServer) -> None:
    history: list[ChatCompletionMessageParam] = [
        *MESSAGES,
        {
            "role": "assistant",
            "tool_calls": [
                {
                    "id": "call_1",
                    "type": "function",
                    "function": {"name": "get_weather", "arguments": '{"city": "Lisbon"}'},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
    ]
    with client_of(llama_server) as client:
        answer = client.chat.completions.create(
            model="tiny", messages=history, seed=1, tools=[WEATHER]
        )

    assert answer.choices[0].finish_reason == "stop"
    assert answer.choices[0].message.content


@pytest.mark.parametrize("seed", range(5))
def test_given_a_json_schema_it_answers_with_json_of_that_shape(
    llama_server: LlamaServer, seed: int
) -> None:
    with client_of(llama_server) as client:
        answer = client.chat.completions.create(
            model="tiny", messages=MESSAGES, seed=seed, response_format=PERSON
        )

    person = json.loads(answer.choices[0].message.content or "")
    assert {name: type(value) for name, value in person.items()} == {"name": str, "age": int}


def test_a_slow_server_takes_milliseconds_per_token(slow_llama_server: LlamaServer) -> None:
    streamed(slow_llama_server)  # the prompt is in the server's cache from now on

    with client_of(slow_llama_server) as client:
        start_s = monotonic()
        stream = client.chat.completions.create(
            model="tiny", messages=MESSAGES, max_tokens=200, seed=3, stream=True
        )
        pieces = len(list(stream))
        took_s = monotonic() - start_s

    assert pieces > 10
    assert took_s / pieces > 0.0005


def test_a_killed_server_takes_no_more_connections(mortal_llama_server: LlamaServer) -> None:
    streamed(mortal_llama_server)

    mortal_llama_server.kill()

    with pytest.raises(openai.APIConnectionError):
        streamed(mortal_llama_server)


def test_the_model_is_the_same_file_every_time(tiny_model: Path, tmp_path: Path) -> None:
    write_model(tmp_path / "again.gguf")

    assert (tmp_path / "again.gguf").read_bytes() == tiny_model.read_bytes()
