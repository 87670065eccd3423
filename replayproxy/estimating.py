"""Tokens that a provider did not say, estimated from the text: opt-in, and never mixed with usage.

Rule: an estimate is only made of what is not said, and says how it was made.
"""

from collections.abc import Iterator

from replayproxy.json_text import parse_json
from replayproxy.model import Answer, UsageEstimate

SOURCE = "4 characters a token"
"""How. It is about right for English, and too low for most other languages."""

_CHARACTERS_A_TOKEN = 4
_PROSE = frozenset(
    "content text input system instructions prompt arguments parts description name".split()
)
"""Names in requests under which the model is told something."""


def estimated(request_body: bytes, answer: Answer) -> UsageEstimate | None:
    """The counts that are missing in an answer's usage; None if none is.

    >>> body = b'{"model": "m", "messages": [{"role": "user", "content": "12345678"}]}'
    >>> estimated(body, Answer()).input_tokens
    2
    """
    usage = answer.usage
    if usage.input_tokens is not None and usage.output_tokens is not None:
        return None
    said = "".join(
        text
        for choice in answer.choices
        for text in (
            choice.text,
            choice.reasoning,
            choice.refusal,
            *(call.arguments for call in choice.tool_calls),
        )
    )
    asked = sum(map(len, _prose(parse_json(request_body) if request_body else None)))
    return UsageEstimate(
        input_tokens=_tokens(asked) if usage.input_tokens is None else None,
        output_tokens=_tokens(len(said)) if usage.output_tokens is None else None,
        source=SOURCE,
    )


def _tokens(characters: int) -> int:
    return -(-characters // _CHARACTERS_A_TOKEN)


def _prose(root: object) -> Iterator[str]:
    """Every text of a request that the model reads, but for pictures and the like in base64."""
    todo: list[tuple[object, bool]] = [(root, False)]
    while todo:
        node, is_prose = todo.pop()
        if isinstance(node, dict):
            todo += [(child, str(key) in _PROSE) for key, child in node.items()]
        elif isinstance(node, list):
            todo += [(child, is_prose) for child in node]
        elif isinstance(node, str) and is_prose and not node.startswith("data:"):
            yield node
