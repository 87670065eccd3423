"""What the standard `OTEL_*` variables ask for. Without an endpoint nothing leaves.

https://opentelemetry.io/docs/specs/otel/protocol/exporter/
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from replayproxy.telemetry.names import CAPTURE_CONTENT

_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
_CAPTURES = ("NO_CONTENT", "SPAN_ONLY", "EVENT_ONLY", "SPAN_AND_EVENT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """What is to be sent.

    Attributes:
        logs: events with content.
        content: whether spans carry content.
        problems: what was asked for and cannot be done, in words.
    """

    traces: bool = False
    metrics: bool = False
    logs: bool = False
    content: bool = False
    problems: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.traces or self.metrics or self.logs

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Self:
        """Read the variables.

        >>> Signals.read({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}).traces
        True
        >>> bool(Signals.read({}))
        False
        """
        if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
            return cls()
        problems: list[str] = []
        capture = environ.get(CAPTURE_CONTENT, "").strip().upper() or "NO_CONTENT"
        if capture not in _CAPTURES:
            problems.append(f"{CAPTURE_CONTENT} is none of {', '.join(_CAPTURES)}: no content sent")
            capture = "NO_CONTENT"
        as_events = capture in ("EVENT_ONLY", "SPAN_AND_EVENT")
        return cls(
            traces=_is_on("traces", environ, problems),
            metrics=_is_on("metrics", environ, problems),
            logs=as_events and _is_on("logs", environ, problems),
            content=capture in ("SPAN_ONLY", "SPAN_AND_EVENT"),
            problems=tuple(dict.fromkeys(problems)),
        )


def _is_on(signal: str, environ: Mapping[str, str], problems: list[str]) -> bool:
    upper = signal.upper()
    endpoint = environ.get(f"OTEL_EXPORTER_OTLP_{upper}_ENDPOINT") or environ.get(_ENDPOINT)
    if not endpoint:
        return False
    exporters = environ.get(f"OTEL_{upper}_EXPORTER") or "otlp"
    if "otlp" not in (name.strip() for name in exporters.split(",")):
        return False
    variable = "OTEL_EXPORTER_OTLP_PROTOCOL"
    protocol = environ.get(f"OTEL_EXPORTER_OTLP_{upper}_PROTOCOL") or environ.get(variable)
    if protocol and protocol != "http/protobuf":
        problems.append(
            f"{variable}={protocol} is not spoken: nothing is sent. Set it to http/protobuf, "
            "and the endpoint to the collector's port for that (4318, mostly)"
        )
        return False
    return True
