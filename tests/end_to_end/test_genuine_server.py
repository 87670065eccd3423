"""A genuine LLM server, the real openai SDK: recorded, then replayed with the server dead."""

from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI

from tests.end_to_end.commands import listed, serving
from tests.llama.fixture import LlamaServer, running_llama_server

TOOL: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}
SCHEMA: Any = {
    "type": "json_schema",
    "json_schema": {
        "name": "answer",
        "schema": {
            "type": "object",
            "properties": {"yes": {"type": "boolean"}},
            "required": ["yes"],
        },
    },
}


def converse(base_url: str) -> list[Any]:
    """One call of each kind; what the SDK makes of the answers, ids included."""
    common: Any = {"model": "tiny", "max_tokens": 40, "seed": 7}
    said = [{"role": "user", "content": "Tell me about lists."}]
    with OpenAI(base_url=base_url, api_key="sk-test", max_retries=0) as sdk:
        create: Any = sdk.chat.completions.create
        streamed = create(messages=said, stream=True, **common)
        answers = [chunk.model_dump() for chunk in streamed]
        counted = create(
            messages=said, stream=True, stream_options={"include_usage": True}, **common
        )
        answers += [chunk.model_dump() for chunk in counted]
        answers += [create(messages=said, **common).model_dump()]
        answers += [create(messages=said, response_format=SCHEMA, **common).model_dump()]
        with_tool = create(
            messages=said, stream=True, tools=[TOOL], **{**common, "max_tokens": 300}
        )
        answers += [chunk.model_dump() for chunk in with_tool]
    return answers


@pytest.fixture(scope="module")
def conversation(
    tiny_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[Any]]:
    """Recorded through the proxy; the server is gone."""
    folder = tmp_path_factory.mktemp("genuine")
    with running_llama_server(tiny_model) as server:
        with serving("record", "--upstream", server.origin, cwd=folder) as recorder:
            answers = converse(f"{recorder.url}/v1")
        assert recorder.code == 0, recorder.words
    return folder, answers


def test_live_answers_differ_from_call_to_call(llama_server: LlamaServer) -> None:
    first, second = (converse(llama_server.base_url) for _ in range(2))

    assert first[0]["id"] != second[0]["id"]


def test_a_replay_gives_the_sdk_the_very_same_answers(
    conversation: tuple[Path, list[Any]],
) -> None:
    folder, recorded = conversation

    with serving("replay", "--speed", "instant", cwd=folder) as player:
        replayed = converse(f"{player.url}/v1")

    assert replayed == recorded
    assert player.words.splitlines()[-1] == "replayed 5 exchanges, 0 misses"


def test_what_the_server_said_is_known_of_each_exchange(
    conversation: tuple[Path, list[Any]],
) -> None:
    folder, answers = conversation

    plain, counted, whole, as_json, with_tool = listed(folder)

    assert [row["outcome"] for row in listed(folder)] == ["completed"] * 5
    assert [row["streamed"] for row in listed(folder)] == [True, True, False, False, True]
    assert {row["response_model"] for row in listed(folder)} == {"tiny"}
    usage = next(answer["usage"] for answer in answers if answer.get("usage"))
    for row in (counted, whole):
        assert row["input_tokens"] == usage["prompt_tokens"]
        assert row["output_tokens"] == usage["completion_tokens"]
    assert plain["time_to_first_chunk_ms"] <= plain["time_to_first_content_ms"]
    assert plain["time_to_first_content_ms"] <= plain["duration_ms"]
    assert as_json["finish_reason"] in {"stop", "length"}
    assert with_tool["finish_reason"] == "tool_calls"
