"""Puts an answer together from its pieces, whatever protocol they came by.

What is built is well-formed text, even where a provider tore a surrogate pair
apart between two deltas, so that it can be stored and shown.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from replayproxy.model import Answer, Choice, ToolCall, Usage
from replayproxy.protocols.untrusted import Json, as_text, well_formed


@dataclass(slots=True, kw_only=True)
class _OpenCall:
    id: str | None
    name: str = ""
    arguments: list[str] = field(default_factory=list)


class ToolCalls:
    """Tool calls, in the order they began, from fragments that may leave out what names them.

    A fragment belongs to the call of its index, else of its id, else to the
    last one. Another id on the same index, or another name once there are
    arguments, begins a new call: some servers give every call the index 0.
    """

    def __init__(self) -> None:
        self._calls: list[_OpenCall] = []
        self._by_index: dict[int, _OpenCall] = {}
        self._by_id: dict[tuple[int | None, str], _OpenCall] = {}

    def take(
        self,
        *,
        index: int | None = None,
        call_id: str | None = None,
        name: str | None = None,
        arguments: str = "",
    ) -> bool:
        """Take one fragment; True if anything of the call itself was in it."""
        call = self._find(index, call_id, name)
        if call is None:
            call = _OpenCall(id=call_id)
            self._calls.append(call)
        call.id = call.id or call_id
        if index is not None:
            self._by_index[index] = call
        if call_id is not None:
            self._by_id[index, call_id] = self._by_id[None, call_id] = call
        if name and name != call.name:  # some servers repeat it, some send it in pieces
            call.name += name
        if arguments:
            call.arguments.append(arguments)
        return bool(name or arguments)

    def _find(self, index: int | None, call_id: str | None, name: str | None) -> _OpenCall | None:
        if call_id is not None and (index, call_id) in self._by_id:
            return self._by_id[index, call_id]
        if index is not None:
            call = self._by_index.get(index)
        else:
            call = self._calls[-1] if self._calls and call_id is None else None
        if call is None or (call_id is not None and call.id is not None):
            return None
        another = name and call.arguments and name != call.name
        return None if another else call

    def __len__(self) -> int:
        return len(self._calls)

    def calls(self) -> tuple[ToolCall, ...]:
        """The calls so far."""
        return tuple(
            ToolCall(id=call.id, name=call.name or None, arguments=joined(call.arguments))
            for call in self._calls
        )


@dataclass(slots=True, kw_only=True)
class ChoiceAssembly:
    """One choice; the `add_` methods take any JSON value and tell whether it was text."""

    role: str | None = None
    finish_reason: str | None = None
    text: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    refusal: list[str] = field(default_factory=list)
    tool_calls: ToolCalls = field(default_factory=ToolCalls)

    def add_text(self, piece: object) -> bool:
        """Append to what the model said."""
        return _append(self.text, piece)

    def add_reasoning(self, piece: object) -> bool:
        """Append to what the model thought."""
        return _append(self.reasoning, piece)

    def add_refusal(self, piece: object) -> bool:
        """Append to why the model declined."""
        return _append(self.refusal, piece)

    def build(self, index: int) -> Choice:
        """The choice so far."""
        return Choice(
            index=index,
            role=self.role,
            text=joined(self.text),
            reasoning=joined(self.reasoning),
            refusal=joined(self.refusal),
            tool_calls=self.tool_calls.calls(),
            finish_reason=self.finish_reason,
        )


@dataclass(slots=True, kw_only=True)
class AnswerAssembly:
    """A whole answer; what a reader has, when it is asked."""

    choices: dict[int, ChoiceAssembly] = field(default_factory=dict)
    usage: Usage = field(default_factory=Usage)
    response_model: str | None = None
    response_id: str | None = None
    service_tier: str | None = None
    system_fingerprint: str | None = None
    error: str | None = None
    reported_cost_usd: Decimal | None = None
    complete: bool = False

    def choice(self, index: int = 0) -> ChoiceAssembly:
        """The choice of this index, begun if it is new."""
        if index not in self.choices:
            self.choices[index] = ChoiceAssembly()
        return self.choices[index]

    def identify(self, body: Json) -> None:
        """Read `model`, whose first value stays, and `id`, whose last one counts."""
        self.response_model = self.response_model or as_text(body.get("model"))
        self.response_id = as_text(body.get("id")) or self.response_id
        self.note_service(body)

    def note_service(self, body: Json) -> None:
        """Read `service_tier` and `system_fingerprint`; their last values count."""
        self.service_tier = as_text(body.get("service_tier")) or self.service_tier
        fingerprint = as_text(body.get("system_fingerprint"))
        self.system_fingerprint = fingerprint or self.system_fingerprint

    def note_usage(self, usage: Usage, cost_usd: Decimal | None) -> None:
        """Take later counts over earlier ones, field by field."""
        self.usage = self.usage.updated(usage)
        self.reported_cost_usd = self.reported_cost_usd if cost_usd is None else cost_usd

    def note_error(self, message: str | None) -> None:
        """Keep the first error: the later ones tend to follow from it."""
        self.error = self.error or message

    def build(self) -> Answer:
        """The answer so far."""
        return Answer(
            choices=tuple(self.choices[index].build(index) for index in sorted(self.choices)),
            usage=self.usage,
            response_model=self.response_model,
            response_id=self.response_id,
            service_tier=self.service_tier,
            system_fingerprint=self.system_fingerprint,
            error=self.error,
            reported_cost_usd=self.reported_cost_usd,
            complete=self.complete,
        )


def joined(pieces: Iterable[str]) -> str:
    """The pieces as one well-formed text."""
    return well_formed("".join(pieces))


def _append(pieces: list[str], piece: object) -> bool:
    if not isinstance(piece, str) or not piece:
        return False
    pieces.append(piece)
    return True
