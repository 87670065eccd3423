"""Answers that are no conversation, and media in requests of every API."""

import json

import pytest

from replayproxy.dashboard.conversation import Part, read_request
from replayproxy.dashboard.gemini_parts import as_block


def media(block: dict[str, object]) -> Part:
    body = json.dumps({"messages": [{"role": "user", "content": [block]}]})
    (message,) = read_request(body.encode()).messages
    return message.parts[0]


@pytest.mark.parametrize(
    ("block", "name", "text"),
    [
        (
            {"type": "image_url", "image_url": {"url": "https://x/a.png"}},
            "image url",
            "https://x/a.png",
        ),
        ({"type": "input_image", "image_url": "https://x/a.png"}, "input image", "https://x/a.png"),
        (
            {"type": "input_audio", "input_audio": {"format": "mp3", "data": "AAAA"}},
            "input audio",
            "mp3, 4 characters inline",
        ),
        (
            {
                "type": "file",
                "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AA"},
            },
            "file",
            "a.pdf, application/pdf, 30 characters inline",
        ),
        (
            {
                "type": "document",
                "source": {"type": "base64", "media_type": "application/pdf", "data": "AAAA"},
            },
            "document",
            "application/pdf, 4 characters inline",
        ),
        ({"type": "file", "file": {"file_id": "file-1"}}, "file", "file-1"),
        ({"type": "image"}, "image", ""),
    ],
)
def test_media_that_are_not_shown_are_noted(block: dict[str, object], name: str, text: str) -> None:
    part = media(block)

    assert (part.kind, part.name, part.text, part.picture) == ("media", name, text, None)


@pytest.mark.parametrize(
    ("part", "block"),
    [
        ({"text": "a"}, {"type": "text", "text": "a"}),
        ({"text": "a", "thought": True}, {"type": "thinking", "thinking": "a"}),
        (
            {"functionResponse": {"name": "f", "response": {"b": 1}}},
            {"type": "tool_result", "content": {"b": 1}},
        ),
        (
            {"inline_data": {"mime_type": "audio/wav", "data": "AA"}},
            {"type": "audio", "source": {"media_type": "audio/wav", "data": "AA"}},
        ),
        (
            {"fileData": {"mimeType": "application/pdf", "fileUri": "gs://a"}},
            {"type": "file", "source": {"media_type": "application/pdf", "url": "gs://a"}},
        ),
        ({"executableCode": {"code": "1"}}, {"executableCode": {"code": "1"}}),
        ("text", {}),
    ],
)
def test_geminis_parts_have_the_words_of_the_others(part: object, block: dict[str, object]) -> None:
    assert as_block(part) == block
