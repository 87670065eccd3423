"""Two answers to one request: how they differ, as an engineer would ask.

Is it still the same status, the same kind of document, with the same members
and events? The same model? Did it end for the same reason, and call the same
tools? And how much alike is what it said.
"""

import json
import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum
from typing import Self

from replayproxy.content_coding import Decoder
from replayproxy.json_text import UNREADABLE, parse_json
from replayproxy.model import Answer, Chunk, Exchange, header
from replayproxy.recording import read_answer
from replayproxy.sse import SSEDecoder
from replayproxy.verifying.shape import Shape, changes, shape_of

_WORD = re.compile(r"\w+|[^\w\s]")
_MAX_WORDS = 1_000
_NOTHING = "none"
_BY_CHANCE = {"ping"}
"""Events that come when a stream takes long, whatever is asked."""


class Kind(StrEnum):
    """What can drift."""

    STATUS = "status"
    SHAPE = "shape"
    ADDITIONS = "additions"
    MODEL = "model"
    TEXT = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that is not as it was recorded; `where` is a JSON path, or a name."""

    kind: Kind
    where: str
    recorded: str
    live: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How an answer differs from a recorded one.

    Attributes:
        alike: 0 to 1, what was said, word for word; None if that cannot be compared.
    """

    differences: tuple[Difference, ...]
    alike: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """An answer as it is compared.

    Attributes:
        problem: why it cannot be read, and so not be compared.
        shapes: by the type of event; of a body that is no stream under "".
    """

    problem: str | None
    status: int
    media_type: str
    answer: Answer
    events: frozenset[str]
    shapes: dict[str, Shape]
    text: str

    @classmethod
    def of(cls, exchange: Exchange, chunks: tuple[Chunk, ...]) -> Self:
        """What an exchange got; it must have a head."""
        assert exchange.head is not None
        headers = exchange.head.headers
        decoder = Decoder(header(headers, "content-encoding"))
        body = b"".join(decoder.decode(chunk.data) for chunk in chunks)
        media_type = (header(headers, "content-type") or "").partition(";")[0].strip().lower()
        documents = _documents(body, media_type)
        answer = read_answer(exchange, chunks, Decoder)
        return cls(
            problem=decoder.problem,
            status=exchange.head.status,
            media_type=media_type,
            answer=answer,
            events=frozenset(documents) - _BY_CHANCE - {""},
            shapes={
                name: shape_of(d for d in found if d is not UNREADABLE)
                for name, found in documents.items()
            },
            text=_said(answer) or _as_text(body, documents),
        )


def compare(recorded: Seen, live: Seen, *, min_alike: float) -> Comparison:
    """How `live` differs; text does if it is less alike than `min_alike` (0 to 1)."""
    found = _status(recorded, live) or _media_type(recorded, live)
    if found:  # that an error, or a page, has another shape and other words is no news
        return Comparison(differences=tuple(found), alike=None)
    found += [*_shape(recorded, live), *_answer(recorded.answer, live.answer)]
    alike = likeness(recorded.text, live.text)
    if alike < min_alike:
        percent = f"{alike:.0%} alike"
        found.append(Difference(kind=Kind.TEXT, where="text", recorded="", live=percent))
    return Comparison(differences=tuple(found), alike=alike)


def likeness(a: str, b: str) -> float:
    """How much alike two texts are, word for word, from 0 to 1; long ones by their beginning.

    >>> likeness("the cat sat", "the dog sat"), likeness("same", "same")
    (0.6666666666666666, 1.0)
    """
    if a == b:
        return 1.0
    words, others = (_WORD.findall(text)[:_MAX_WORDS] for text in (a, b))
    return SequenceMatcher(None, words, others, autojunk=False).ratio()


def _status(recorded: Seen, live: Seen) -> list[Difference]:
    why = live.answer.error or ""
    if recorded.status != live.status:
        told = f"{live.status} ({why})" if why else str(live.status)
        return [_differs(Kind.STATUS, "status", str(recorded.status), told)]
    if why and not recorded.answer.error:
        return [_differs(Kind.STATUS, f"error inside a {live.status}", _NOTHING, why)]
    return []


def _media_type(recorded: Seen, live: Seen) -> list[Difference]:
    if recorded.media_type == live.media_type:
        return []
    both = recorded.media_type or _NOTHING, live.media_type or _NOTHING
    return [_differs(Kind.SHAPE, "content-type", *both)]


def _shape(recorded: Seen, live: Seen) -> list[Difference]:
    found = []
    for name in sorted(recorded.events ^ live.events):
        there, gone = f"event {name}", name in recorded.events
        kind = Kind.SHAPE if gone else Kind.ADDITIONS
        found.append(_differs(kind, there, *(("sent", "gone") if gone else ("", "new"))))
    for name, shape in recorded.shapes.items():
        prefix = f"{name} " if name else ""
        for change, path, types in changes(shape, live.shapes.get(name, Shape())):
            before, _, now = types.partition(" -> ")
            kind = Kind.ADDITIONS if change == "new" else Kind.SHAPE
            where = prefix + path
            found.append(
                _differs(kind, where, "", f"new, {types}")
                if change == "new"
                else _differs(kind, where, before, now or change)
            )
    return found


def _answer(recorded: Answer, live: Answer) -> list[Difference]:
    found = []
    for kind, where, before, now in (
        (Kind.MODEL, "model", recorded.response_model, live.response_model),
        (Kind.SHAPE, "finish reason", _reasons(recorded), _reasons(live)),
        (Kind.SHAPE, "tool calls", _tools(recorded), _tools(live)),
        (Kind.SHAPE, "refusal", _refused(recorded), _refused(live)),
    ):
        if before != now:
            found.append(_differs(kind, where, before or _NOTHING, now or _NOTHING))
    return found


def _reasons(answer: Answer) -> str:
    return ", ".join(sorted({c.finish_reason for c in answer.choices if c.finish_reason}))


def _tools(answer: Answer) -> str:
    return ", ".join(sorted(call.name or "?" for c in answer.choices for call in c.tool_calls))


def _refused(answer: Answer) -> str:
    return "refused" if any(choice.refusal for choice in answer.choices) else ""


def _differs(kind: Kind, where: str, recorded: str, live: str) -> Difference:
    return Difference(kind=kind, where=where, recorded=recorded, live=live)


def _documents(body: bytes, media_type: str) -> dict[str, list[object]]:
    """The JSON documents of a body, by the type of event they came as."""
    if media_type == "text/event-stream":
        decoder = SSEDecoder()
        found: dict[str, list[object]] = {}
        for event in [*decoder.feed(body), *decoder.flush()]:
            document = parse_json(event.data)
            done = event.data.strip() == "[DONE]"
            name = "[DONE]" if done else _event_type(document, event.event)
            found.setdefault(name, []).append(document)
        return found
    lines = body.splitlines() if media_type.endswith(("ndjson", "jsonl")) else [body]
    return {"": [parse_json(line) for line in lines]}


def _event_type(document: object, event: str) -> str:
    """As the document says, else as the stream does; "" if neither."""
    kind = document.get("type") if isinstance(document, dict) else None
    return kind if isinstance(kind, str) else "" if event == "message" else event


def _said(answer: Answer) -> str:
    parts = []
    for choice in answer.choices:
        parts += [choice.text, choice.refusal]
        parts += [f"{call.name}({call.arguments})" for call in choice.tool_calls]
    return "\n".join(part for part in parts if part)


def _as_text(body: bytes, documents: dict[str, list[object]]) -> str:
    """A body that nobody reads more closely; JSON without its white space."""
    match documents:
        case {"": [document]} if document is not UNREADABLE:
            return json.dumps(document, sort_keys=True)
    return body.decode("utf-8", "replace")
