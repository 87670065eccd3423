"""A body as text, its beginning at least."""

from dataclasses import dataclass

from replayproxy.content_coding import Decoder
from replayproxy.dashboard.conversation import pretty
from replayproxy.dashboard.stream_events import as_text
from replayproxy.model import Headers, header

MAX_RAW = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """A body as it is shown.

    Attributes:
        text: None for bytes that are not text.
        size: on the wire.
        problem: why the text is not all of it, if it is not.
    """

    text: str | None
    size: int
    problem: str | None = None


def raw_body(body: bytes, headers: Headers) -> Raw:
    """Decode and cut it; JSON is indented."""
    decoder = Decoder(header(headers, "content-encoding"))
    decoded = b""
    for start in range(0, len(body), 1 << 16):
        decoded += decoder.decode(body[start : start + (1 << 16)])
        if len(decoded) > 4 * MAX_RAW:
            break
    text = as_text(decoded[: 4 * MAX_RAW])
    if text is None:
        return Raw(text=None, size=len(body))
    whole = len(decoded) <= 4 * MAX_RAW and decoder.problem is None
    if whole and (header(headers, "content-type") or "").startswith("application/json"):
        text = pretty(text)
    problem = decoder.problem
    if problem is None and (len(text) > MAX_RAW or not whole):
        problem = "only its beginning is shown"
    return Raw(text=text[:MAX_RAW], size=len(body), problem=problem)
