"""One exchange as a test looks at it."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl

from replayproxy.content_coding import Decoder
from replayproxy.json_text import UNREADABLE, parse_json
from replayproxy.model import (
    Answer,
    Choice,
    Chunk,
    Exchange,
    Request,
    ToolCall,
    Usage,
    header,
)
from replayproxy.recording import read_answer


@dataclass(frozen=True, kw_only=True)
class SeenRequest:
    """What the code under test asked.

    Attributes:
        headers: by lower-case name; the last one of several.
        body: the bytes.
    """

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @cached_property
    def json(self) -> Any:
        """The value of a JSON body; None if it is none."""
        return _json(self.body)

    def __repr__(self) -> str:
        return f"<{self.method} {self.path}>"


class SeenExchange:
    """A request and its answer. Nothing in it changes.

    Attributes:
        number: which exchange of the cassette answered, from 1.
        request: what was asked.
        chunks: the wire bytes of the answer, as they were cut, with their times.
        cost: in dollars; None if it is not known.
    """

    def __init__(
        self, *, number: int, asked: Request, answered: Exchange, chunks: tuple[Chunk, ...]
    ):
        self.number = number
        self.request = SeenRequest(
            method=asked.method,
            path=asked.path,
            query=dict(parse_qsl(asked.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in asked.headers},
            body=asked.body,
        )
        self.chunks = chunks
        self.cost: Decimal | None = answered.cost_usd
        self._exchange = answered

    def __repr__(self) -> str:
        exchange = self._exchange
        model = f" {exchange.request_model}" if exchange.request_model else ""
        said = f" {self.text[:40]!r}" if self.text else ""
        calls = "".join(f" {call.name}({call.arguments[:40]})" for call in self.tool_calls)
        return (
            f"<exchange {self.number}: {self.request.method} {self.request.path}{model}: "
            f"{self.status}{said}{calls}>"
        )

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self._exchange.head.status if self._exchange.head else 0

    @property
    def headers(self) -> dict[str, str]:
        """Those of the answer, by lower-case name; the last one of several."""
        head = self._exchange.head
        return {name.lower(): value for name, value in head.headers} if head else {}

    @property
    def model(self) -> str | None:
        """Which model answered; which was asked, if it does not say."""
        return self._exchange.response_model or self._exchange.request_model

    @property
    def text(self) -> str:
        """What the model said, streamed or not; the first of several answers."""
        return self._first.text

    @property
    def reasoning(self) -> str:
        """What the model thought aloud."""
        return self._first.reasoning

    @property
    def tool_calls(self) -> list[ToolCall]:
        """What it wants to be called; `arguments` is text, as it was generated."""
        return list(self._first.tool_calls)

    @property
    def finish_reason(self) -> str | None:
        """Why it stopped."""
        return self._exchange.finish_reason

    @property
    def usage(self) -> Usage:
        """Its tokens; None is "not said"."""
        return self._exchange.usage

    @property
    def error(self) -> str | None:
        """What went wrong, if something did."""
        return self._exchange.error

    @property
    def body(self) -> bytes:
        """The answer's body, without its content-encoding."""
        coding = (
            header(self._exchange.head.headers, "content-encoding") if self._exchange.head else None
        )
        return Decoder(coding).decode(b"".join(chunk.data for chunk in self.chunks))

    @property
    def json(self) -> Any:
        """The value of a JSON answer; None if it is none."""
        return _json(self.body)

    @property
    def time_to_first_chunk(self) -> timedelta | None:
        """From the end of the request to the first event, when it was recorded."""
        return _since(self._exchange.first_event_ns)

    @property
    def duration(self) -> timedelta | None:
        """From the end of the request to the end of the answer, when it was recorded."""
        return _since(self._exchange.end_offset_ns)

    def to_dict(self) -> dict[str, Any]:
        """What was asked and said, as plain data: for snapshots."""
        said: dict[str, Any] = {"status": self.status, "model": self.model}
        if self.text:
            said["text"] = self.text
        if self.tool_calls:
            said["tool_calls"] = [
                {"name": call.name, "arguments": _json(call.arguments) or call.arguments}
                for call in self.tool_calls
            ]
        if self.finish_reason:
            said["finish_reason"] = self.finish_reason
        request = self.request
        return {"method": request.method, "path": request.path, "asked": request.json, **said}

    @cached_property
    def _answer(self) -> Answer:
        return read_answer(self._exchange, self.chunks, Decoder)

    @property
    def _first(self) -> Choice:
        return self._answer.choices[0] if self._answer.choices else Choice()


def _json(data: bytes | str) -> Any:
    value = parse_json(data) if data else UNREADABLE
    return None if value is UNREADABLE else value


def _since(offset_ns: int | None) -> timedelta | None:
    return None if offset_ns is None else timedelta(microseconds=offset_ns / 1000)
