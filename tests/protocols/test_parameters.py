"""How a request wants to be answered, by whatever names."""

from typing import Any

import pytest

from replayproxy.model import RequestParameters
from replayproxy.protocols import detect
from replayproxy.protocols.parameters import read_parameters


def test_openai_and_anthropic_name_them_alike() -> None:
    asked = {
        "temperature": 0,
        "top_p": 0.9,
        "top_k": 40,
        "max_tokens": 100,
        "frequency_penalty": 0.5,
        "presence_penalty": -0.5,
        "stop": ["END", "STOP"],
        "seed": -7,
        "n": 2,
        "response_format": {"type": "json_schema"},
        "service_tier": "flex",
        "conversation": {"id": "conv_1"},
    }

    assert read_parameters(asked) == RequestParameters(
        temperature=0.0,
        top_p=0.9,
        top_k=40.0,
        max_tokens=100,
        frequency_penalty=0.5,
        presence_penalty=-0.5,
        stop_sequences=("END", "STOP"),
        seed=-7,
        choice_count=2,
        output_type="json",
        service_tier="flex",
        conversation_id="conv_1",
    )


def test_gemini_names_them_its_own_way_in_an_object_of_their_own() -> None:
    path = "/v1beta/models/gemini-2.5-flash:generateContent"
    config = {
        "temperature": 1,
        "topP": 0.5,
        "topK": 3,
        "maxOutputTokens": 9,
        "stopSequences": ["x"],
        "candidateCount": 2,
        "responseMimeType": "application/json",
    }

    view = detect("POST", path).read_request(path, {"generationConfig": config})

    assert view.parameters == RequestParameters(
        temperature=1.0,
        top_p=0.5,
        top_k=3.0,
        max_tokens=9,
        stop_sequences=("x",),
        choice_count=2,
        output_type="json",
    )


@pytest.mark.parametrize(
    ("asked", "output_type"),
    [
        ({"modalities": ["text", "audio"]}, "speech"),
        ({"responseModalities": ["TEXT", "IMAGE"]}, "image"),
        ({"text": {"format": {"type": "json_object"}}}, "json"),
        ({"response_format": {"type": "text"}}, "text"),
        ({"response_format": {"type": "hologram"}}, None),
        ({}, None),
    ],
)
def test_the_output_type_is_what_the_request_says(asked: Any, output_type: str | None) -> None:
    assert read_parameters(asked).output_type == output_type


def test_what_makes_no_sense_is_not_said() -> None:
    asked = {
        "temperature": "hot",
        "top_p": float("nan"),
        "top_k": 10**400,
        "max_tokens": -1,
        "stop": [None, ""],
        "seed": 2**70,
        "n": True,
        "conversation": 7,
        "modalities": [[]],
    }

    assert read_parameters(asked) == RequestParameters()
