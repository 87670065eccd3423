"""The parts of Gemini's messages, in the words that the other APIs have for them.

https://ai.google.dev/api/caching#Part
"""

from collections.abc import Mapping
from typing import Any

from replayproxy.protocols.untrusted import Json, as_object


def as_block(part: object) -> Mapping[str, Any]:
    """A part as a content block with a `type`.

    >>> as_block({"functionCall": {"name": "f", "args": {"a": 1}}})
    {'type': 'tool_use', 'name': 'f', 'input': {'a': 1}}
    """
    given = as_object(part)
    if "text" in given:
        kind = "thinking" if given.get("thought") is True else "text"
        return {"type": kind, kind: given["text"]}
    for name in ("functionCall", "function_call"):
        if name in given:
            call = as_object(given[name])
            return {"type": "tool_use", "name": call.get("name"), "input": call.get("args")}
    for name in ("functionResponse", "function_response"):
        if name in given:
            return {"type": "tool_result", "content": as_object(given[name]).get("response")}
    for name in ("inlineData", "inline_data", "fileData", "file_data"):
        if name in given:
            return _media(as_object(given[name]))
    return given


def _media(source: Json) -> Mapping[str, Any]:
    media_type = source.get("mimeType", source.get("mime_type"))
    kind = str(media_type).partition("/")[0]
    address = source.get("fileUri", source.get("file_uri"))
    told = {"media_type": media_type, "data": source.get("data"), "url": address}
    known = {name: value for name, value in told.items() if value is not None}
    return {"type": kind if kind in {"image", "audio"} else "file", "source": known}
