"""How a request wants to be answered, by the names that the protocols have for it."""

import math

from replayproxy.model import RequestParameters
from replayproxy.protocols.untrusted import Json, as_count, as_list, as_object, as_text

_OUTPUT_TYPES = {
    "text": "text",
    "json_object": "json",
    "json_schema": "json",
    "json": "json",
    "application/json": "json",
    "text/plain": "text",
    "audio": "speech",
    "image": "image",
}
"""What requests say -> OpenTelemetry's word for it."""


def read_parameters(asked: Json) -> RequestParameters:
    """Read a request's body, or the part of it that says how to generate.

    >>> read_parameters({"temperature": 0, "stop": "END", "n": 2}).stop_sequences
    ('END',)
    """
    conversation = asked.get("conversation")
    return RequestParameters(
        temperature=_number(asked, "temperature"),
        top_p=_number(asked, "top_p", "topP"),
        top_k=_number(asked, "top_k", "topK"),
        max_tokens=_count(
            asked, "max_completion_tokens", "max_tokens", "max_output_tokens", "maxOutputTokens"
        ),
        frequency_penalty=_number(asked, "frequency_penalty", "frequencyPenalty"),
        presence_penalty=_number(asked, "presence_penalty", "presencePenalty"),
        stop_sequences=_texts(asked, "stop", "stop_sequences", "stopSequences"),
        seed=_whole(asked, "seed", "random_seed"),
        choice_count=_count(asked, "n", "candidateCount"),
        output_type=_output_type(asked),
        service_tier=as_text(asked.get("service_tier")),
        conversation_id=as_text(as_object(conversation).get("id")) or as_text(conversation),
    )


def _number(asked: Json, *names: str) -> float | None:
    for name in names:
        value = asked.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            try:
                number = float(value)
            except OverflowError:
                return None
            return number if math.isfinite(number) else None
    return None


def _count(asked: Json, *names: str) -> int | None:
    counts = (as_count(asked.get(name)) for name in names)
    return next((count for count in counts if count is not None), None)


def _whole(asked: Json, *names: str) -> int | None:
    """A seed may be negative; what does not fit 64 bits can be stored nowhere."""
    values = (asked.get(name) for name in names)
    return next((v for v in values if type(v) is int and -(2**63) <= v < 2**63), None)


def _texts(asked: Json, *names: str) -> tuple[str, ...]:
    for name in names:
        value = asked.get(name)
        found = [as_text(item) for item in (as_list(value) or [value])]
        if texts := tuple(text for text in found if text):
            return texts
    return ()


def _output_type(asked: Json) -> str | None:
    """The format that was asked for; sound or a picture count for more than the text beside it."""
    of_text = as_object(as_object(asked.get("text")).get("format"))
    said = [
        *as_list(asked.get("modalities")),
        *as_list(asked.get("responseModalities")),
        as_object(asked.get("response_format")).get("type"),
        of_text.get("type"),
        asked.get("responseMimeType"),
    ]
    found = [_OUTPUT_TYPES.get(value.lower()) for value in said if isinstance(value, str)]
    return next(
        (
            kind
            for wanted in ("speech", "image", "json", "text")
            for kind in found
            if kind == wanted
        ),
        None,
    )
