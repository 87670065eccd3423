"""The reference stream: everything that makes a stream hard to keep, in 65 chunks.

Uneven gaps (300, 150 and 600 ms among 20 ms), three events in one write, one
event torn in the middle of its JSON, one emoji torn in the middle of its code
point, a comment, two spellings of JSON, a usage chunk, `[DONE]`.
"""

import json
from typing import Any

from tests.end_to_end.upstream import LAST_CHUNK, STREAM_HEAD, Send, Step, chunk

REQUEST = {
    "model": "reference",
    "messages": [{"role": "user", "content": "hello"}],
    "stream": True,
    "stream_options": {"include_usage": True},
}
CHUNKS = 65
_GAPS_S = {10: 0.300, 25: 0.150, 40: 0.600}
_GAP_S = 0.020
_PAUSE_S = 0.040


def writes() -> list[tuple[float, bytes]]:
    """Seconds since the write before, and the bytes of one chunk."""
    plan = [(0.150, _event({"role": "assistant", "content": ""}))]
    number = 1
    while number <= 60:
        gap = _GAPS_S.get(number, _GAP_S)
        event = _token(number, "\U0001f600 " if number == 35 else None)
        if number == 15:
            plan.append((gap, event + _token(16) + _token(17)))
            number = 17
        elif number in {30, 35}:
            at = 60 if number == 30 else event.index("\U0001f600".encode()) + 2
            plan += [(gap, event[:at]), (_PAUSE_S, event[at:])]
        elif number == 45:
            plan += [(gap, b": keep-alive\n\n"), (_GAP_S, event)]
        else:
            plan.append((gap, event))
        number += 1
    usage = {"prompt_tokens": 11, "completion_tokens": 60, "total_tokens": 71}
    plan += [
        (_GAP_S, _event({}, finish_reason="stop")),
        (_GAP_S, _data({"choices": [], "usage": usage})),
        (0.005, b"data: [DONE]\n\n"),
    ]
    return plan


def script() -> list[Step]:
    """The stream as an upstream plays it."""
    steps: list[Step] = [Send(STREAM_HEAD)]
    steps += [Send(chunk(data), after_s=gap) for gap, data in writes()]
    return [*steps, Send(LAST_CHUNK)]


def _token(number: int, text: str | None = None) -> bytes:
    delta = {"content": text or f"tok{number} "}
    return _event(delta, spaced=number % 7 == 0)


def _event(
    delta: dict[str, Any], *, finish_reason: str | None = None, spaced: bool = False
) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return _data({"choices": [choice]}, spaced=spaced)


def _data(body: dict[str, Any], *, spaced: bool = False) -> bytes:
    envelope = {"id": "chatcmpl-reference", "object": "chat.completion.chunk", "model": "reference"}
    separators = (", ", ": ") if spaced else (",", ":")
    text = json.dumps({**envelope, **body}, ensure_ascii=False, separators=separators)
    return f"data: {text}\n\n".encode()
