"""OpenAI Responses.

https://platform.openai.com/docs/api-reference/responses-streaming
The stream's terminal is `response.completed`, `.incomplete` or `.failed`; an
`error` event is not one. The response object of the terminal counts for more
than the deltas, wherever it says something.
"""

from collections.abc import Sequence
from typing import Any

from replayproxy.json_text import UNREADABLE, parse_json
from replayproxy.model import Answer, Usage
from replayproxy.protocols.assembly import AnswerAssembly, ChoiceAssembly
from replayproxy.protocols.base import Protocol, ResponseReader, posts_to
from replayproxy.protocols.openai_shapes import openai_error_body, read_usage
from replayproxy.protocols.untrusted import (
    Json,
    as_arguments,
    as_count,
    as_list,
    as_object,
    as_text,
    as_usd,
    error_message,
    error_of_event,
)
from replayproxy.sse import ServerSentEvent

_TERMINALS = frozenset({"response.completed", "response.incomplete", "response.failed"})
_UNFINISHED = frozenset({"queued", "in_progress"})


class OpenAIResponses(Protocol):
    """`POST .../responses`."""

    name = "openai_responses"

    def matches(self, method: str, path: str) -> bool:
        """Creating one; what is asked about one later (`/responses/ID`) is plain HTTP."""
        return posts_to(method, path, "/responses")

    def reader(self) -> ResponseReader:
        """A fresh reader for one response."""
        return _Reader()

    def error_body(self, *, message: str, code: str) -> dict[str, Any]:
        """OpenAI's shape."""
        return openai_error_body(message=message, code=code)


class _Reader(ResponseReader):
    def __init__(self) -> None:
        self._answer = AnswerAssembly()

    def read_event(self, event: ServerSentEvent) -> bool:
        body = parse_json(event.data)
        said = as_object(body)
        kind = as_text(said.get("type")) or event.event
        if kind == "error":
            self._answer.note_error(error_of_event(body, event.data))
        elif body is not UNREADABLE:
            return self._read(kind, said)
        return False

    def read_json(self, body: object) -> None:
        self._read_response(as_object(body))

    def answer(self) -> Answer:
        return self._answer.build()

    def _read(self, kind: str, said: Json) -> bool:
        """Take one event. All items of a response are one choice: there is no `n`."""
        choice = self._answer.choice()
        index = as_count(said.get("output_index"))
        delta = said.get("delta")
        match kind:
            case "response.output_text.delta" | "response.audio.transcript.delta":
                return choice.add_text(delta)
            case "response.refusal.delta":
                return choice.add_refusal(delta)
            case "response.reasoning_text.delta" | "response.reasoning_summary_text.delta":
                choice.add_reasoning(delta)
            case (
                "response.function_call_arguments.delta"
                | "response.mcp_call_arguments.delta"
                | "response.custom_tool_call_input.delta"
            ):
                return choice.tool_calls.take(index=index, arguments=as_arguments(delta))
            case "response.output_item.added":
                return _read_call(choice, as_object(said.get("item")), index, whole=False)
            case "response.audio.delta":
                return bool(delta)
            case _:
                self._read_response(as_object(said.get("response")))
                self._answer.complete |= kind in _TERMINALS
        return False

    def _read_response(self, response: Json) -> None:
        answer = self._answer
        answer.response_model = as_text(response.get("model")) or answer.response_model
        answer.response_id = as_text(response.get("id")) or answer.response_id
        answer.note_service(response)
        answer.error = error_message(response) or answer.error
        usage = response.get("usage")
        answer.note_usage(read_usage(usage), as_usd(as_object(usage).get("cost")))
        if output := as_list(response.get("output")):
            _replace(answer.choice(), _read_output(output))
            if searches := _web_searches(output):
                answer.note_usage(Usage(web_searches=searches), None)
        status = as_text(response.get("status"))
        if status and status not in _UNFINISHED:
            reason = as_text(as_object(response.get("incomplete_details")).get("reason"))
            answer.choice().finish_reason = reason or status


def _web_searches(output: Sequence[object]) -> int:
    """Those that are paid for: opening a page that was found is not."""
    calls = [item for item in map(as_object, output) if item.get("type") == "web_search_call"]
    return sum(as_object(call.get("action")).get("type", "search") == "search" for call in calls)


def _read_output(output: Sequence[object]) -> ChoiceAssembly:
    """The items of a whole response, as one choice."""
    choice = ChoiceAssembly()
    for position, item in enumerate(map(as_object, output)):
        for part in map(as_object, as_list(item.get("summary"))):
            choice.add_reasoning(part.get("text"))
        for part in map(as_object, as_list(item.get("content"))):
            add = choice.add_text if item.get("type") == "message" else choice.add_reasoning
            add(part.get("text"))
            choice.add_refusal(part.get("refusal"))
        choice.role = choice.role or as_text(item.get("role"))
        _read_call(choice, item, position, whole=True)
    return choice


def _read_call(choice: ChoiceAssembly, item: Json, index: int | None, *, whole: bool) -> bool:
    """An item that calls a tool; unless it is whole, its arguments are still to come."""
    if item.get("type") not in ("function_call", "custom_tool_call", "mcp_call"):
        return False
    given = item.get("arguments", item.get("input"))
    return choice.tool_calls.take(
        index=index,
        call_id=as_text(item.get("call_id")) or as_text(item.get("id")),
        name=as_text(item.get("name")),
        arguments=as_arguments(given) if whole else "",
    )


def _replace(choice: ChoiceAssembly, final: ChoiceAssembly) -> None:
    choice.role = final.role or choice.role
    choice.text = final.text or choice.text
    choice.reasoning = final.reasoning or choice.reasoning
    choice.refusal = final.refusal or choice.refusal
    choice.tool_calls = final.tool_calls or choice.tool_calls
