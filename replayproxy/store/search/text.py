"""What there is to search in one exchange: the words of its messages and of its answer.

A conversation sends its history again and again. What an exchange is about is what came
after the model's last turn; earlier messages, and instructions, are `repeated`: they are
indexed with the first exchange that brings them.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b

from replayproxy.content_coding import Decoder
from replayproxy.json_text import UNREADABLE, parse_json
from replayproxy.model import Answer, Choice, Chunk, Exchange, header
from replayproxy.protocols.untrusted import well_formed
from replayproxy.recording import read_answer
from replayproxy.telemetry.content import asked_of

MAX_CHARS = 200_000
"""So much of a prompt, and of an answer, is indexed."""

MAX_BYTES = 16 * 1024 * 1024
"""Longer bodies are not read for it."""

_NO_WORDS = frozenset({"type", "id", "role", "data", "signature", "model", "encrypted_content"})
_INSTRUCTIONS = frozenset({"system", "developer"})
_LONGEST_WORD = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """The words of one exchange.

    Attributes:
        repeated: instructions and earlier turns, in order.
        new: what came after the model's last turn.
        echo: the answer as the next request will say it again.
        opening: hash of the first message; likewise `thread` of all to the first one that is
            the user's: they tell which other exchanges repeat the same.
    """

    repeated: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    answer: str = ""
    echo: str = ""
    opening: int | None = None
    thread: int | None = None


def text_of(exchange: Exchange, chunks: tuple[Chunk, ...]) -> Text:
    """Read it from the stored bytes."""
    body = exchange.request.body
    asked = parse_json(body) if 0 < len(body) <= MAX_BYTES else UNREADABLE
    small = sum(len(chunk.data) for chunk in chunks) <= MAX_BYTES
    answer = read_answer(exchange, chunks, Decoder) if small else Answer()
    said = [text for choice in answer.choices for text in (choice.reasoning, _spoken(choice))]
    if answer.error:
        said.append(answer.error)
    if not any(said) and small:
        said = list(_words(_json_of(exchange, chunks)))
    repeated, new, opening, thread = _asked(asked)
    return Text(
        repeated=repeated,
        new=new,
        answer="\n".join(filter(None, map(well_formed, said))),
        echo=_spoken(answer.choices[0]) if answer.choices else "",
        opening=opening,
        thread=thread,
    )


def hash_of(text: str) -> int:
    """A message's name: 64 bits, signed as SQLite has them."""
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)


def _asked(
    body: object,
) -> tuple[tuple[str, ...], tuple[str, ...], int | None, int | None]:
    asked = asked_of(body)
    said = [("system", "\n".join(_words(asked.system)))] if asked.system else []
    said += [(message["role"], _of_message(message["parts"])) for message in asked.messages]
    said = [(role, well_formed(text)) for role, text in said if text]
    if not said:  # no conversation, but perhaps words all the same
        words = "\n".join(_words(body))
        return (), (words,) if words else (), None, None
    begins = _last_turn(said)
    repeated = [
        text for at, (role, text) in enumerate(said) if at < begins or role in _INSTRUCTIONS
    ]
    new = [text for role, text in said[begins:] if role not in _INSTRUCTIONS]
    first_asked = next((at for at, (role, _) in enumerate(said) if role == "user"), 0)
    thread = "\0".join(text for _, text in said[: first_asked + 1])
    return tuple(repeated), tuple(new), hash_of(said[0][1]), hash_of(thread)


def _last_turn(said: list[tuple[str, str]]) -> int:
    """Where what is new begins: after the model's last turn, but for words put into its mouth."""
    at = len(said)
    while at and said[at - 1][0] == "assistant":
        at -= 1
    while at and said[at - 1][0] != "assistant":
        at -= 1
    return at


def _of_message(parts: list[dict[str, object]]) -> str:
    said = (
        f"{part['name']} {_as_json(part['arguments'])}"
        if part.get("type") == "tool_call"
        else "\n".join(_words(part))
        for part in parts
        if part.get("type") != "reasoning"
    )
    return "\n".join(filter(None, said))


def _spoken(choice: Choice) -> str:
    calls = (f"{call.name or ''} {_as_json(call.arguments)}" for call in choice.tool_calls)
    return well_formed("\n".join(filter(None, (choice.text, choice.refusal, *calls))))


def _as_json(arguments: object) -> str:
    """The same text for the same arguments, whether they are a value or were text."""
    value = parse_json(arguments) if isinstance(arguments, str) else arguments
    if value is UNREADABLE:
        return str(arguments)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _json_of(exchange: Exchange, chunks: tuple[Chunk, ...]) -> object:
    """The answer of an API that we don't know."""
    head = exchange.head
    if head is None or "json" not in (header(head.headers, "content-type") or ""):
        return None
    decoder = Decoder(header(head.headers, "content-encoding"))
    return parse_json(b"".join(decoder.decode(chunk.data) for chunk in chunks))


def _words(value: object) -> Iterator[str]:
    """Every text inside a JSON value that people could have written."""
    if isinstance(value, str):
        if value and not _is_data(value):
            yield value
    elif isinstance(value, dict):
        for name, inner in value.items():
            if name not in _NO_WORDS:
                yield from _words(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _words(inner)


def _is_data(text: str) -> bool:
    """Pictures and vectors in base64 are no words."""
    beginning = text[:_LONGEST_WORD]
    return beginning.startswith("data:") or (
        len(text) > _LONGEST_WORD and beginning.isascii() and not any(map(str.isspace, beginning))
    )
