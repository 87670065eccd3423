"""OpenTelemetry's SDK and OTLP/HTTP exporters, as the `OTEL_*` variables set them up.

Its providers are ours alone, apart from the process's global ones.
"""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from opentelemetry import context, trace
from opentelemetry._logs import LogRecord
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator

from replayproxy import __version__
from replayproxy.telemetry import names
from replayproxy.telemetry.environment import Signals
from replayproxy.telemetry.metrics import Metrics
from replayproxy.telemetry.spans import Span

_SCOPE = "replayproxy"


class _Telling:
    """An exporter that says, once, that its collector takes nothing."""

    _endpoint: str

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__()
        self._say = say

    def export(self, *args: Any, **more: Any) -> Any:
        result = super().export(*args, **more)  # type: ignore[misc]
        if result.name != "SUCCESS":
            self._say(f"{self._endpoint} does not take what is sent to it; it is lost")
        return result


class _Spans(_Telling, OTLPSpanExporter): ...


class _Metrics(_Telling, OTLPMetricExporter): ...


class _Logs(_Telling, OTLPLogExporter): ...


class _Ids(IdGenerator):
    """Gives the ids that a span already has; used by one thread."""

    span: Span

    def generate_trace_id(self) -> int:
        return int(self.span.trace_id, 16)

    def generate_span_id(self) -> int:
        return int(self.span.span_id, 16)


class Sdk:
    """Sends what it is given, from threads of its own.

    Args:
        say: is told what is lost.

    Attributes:
        metrics: None: nobody asked for them.
    """

    def __init__(self, signals: Signals, say: Callable[[str], None]) -> None:
        resource = Resource({"service.name": "replayproxy", "service.version": __version__})
        resource = resource.merge(_from_environment())
        self._signals = signals
        self._ids = _Ids()
        providers: list[Any] = []
        self._exporters: list[Any] = []
        self.metrics: Metrics | None = None
        if signals.traces:
            tracers = TracerProvider(
                resource=resource, id_generator=self._ids, shutdown_on_exit=False
            )
            tracers.add_span_processor(BatchSpanProcessor(self._exporter(_Spans(say))))
            self._tracer = tracers.get_tracer(_SCOPE, __version__)
            providers.append(tracers)
        if signals.metrics:
            reader = PeriodicExportingMetricReader(self._exporter(_Metrics(say)))
            meters = MeterProvider([reader], resource=resource, shutdown_on_exit=False)
            self.metrics = Metrics(meters.get_meter(_SCOPE, __version__))
            providers.append(meters)
        if signals.logs:
            loggers = LoggerProvider(resource=resource, shutdown_on_exit=False)
            loggers.add_log_record_processor(BatchLogRecordProcessor(self._exporter(_Logs(say))))
            self._logger = loggers.get_logger(_SCOPE, __version__)
            providers.append(loggers)
        # made now: a program that is about to end can start no threads
        self._ending = threading.Event()
        self._closers = [
            threading.Thread(target=self._close, args=[provider], daemon=True)
            for provider in providers
        ]
        for closer in self._closers:
            closer.start()

    def _exporter[E: _Telling](self, exporter: E) -> E:
        self._exporters.append(exporter)
        return exporter

    def send(self, span: Span, content: Mapping[str, str], *, cache_write: str) -> None:
        """Send a span, and content on it or beside it; by one thread only."""
        attributes = _renamed(span.attributes, cache_write)
        if self._signals.traces:
            self._send_span(
                span, {**attributes, **content} if self._signals.content else attributes
            )
        if self._signals.logs and content:
            itself = _context(span.trace_id, span.span_id, sampled=span.sampled)
            self._logger.emit(
                LogRecord(
                    timestamp=span.start_ns + span.duration_ns,
                    context=itself,
                    event_name=names.DETAILS_EVENT,
                    attributes={**attributes, **content},
                )
            )

    def _send_span(self, span: Span, attributes: Mapping[str, Any]) -> None:
        self._ids.span = span
        parent = context.Context()
        if span.parent_span_id:
            parent = _context(span.trace_id, span.parent_span_id, sampled=span.sampled)
        sent = self._tracer.start_span(
            span.name,
            context=parent,
            kind=trace.SpanKind.CLIENT,
            attributes=attributes,
            start_time=span.start_ns,
        )
        for event in span.events:
            sent.add_event(event.name, timestamp=span.start_ns + event.offset_ns)
        if span.error is not None:
            sent.set_status(trace.Status(trace.StatusCode.ERROR, span.error))
        sent.end(span.start_ns + span.duration_ns)

    def shutdown(self, patience_s: float) -> bool:
        """Flush all of them side by side; whether that was done in time."""
        deadline = time.monotonic() + patience_s
        self._ending.set()
        for closer in self._closers:
            closer.join(max(0.0, deadline - time.monotonic()))
        if not any(closer.is_alive() for closer in self._closers):
            return True
        for exporter in self._exporters:
            exporter.shutdown()  # they would try again, and again
        return False

    def _close(self, provider: Any) -> None:
        self._ending.wait()
        provider.shutdown()


def _context(trace_id: str, span_id: str, *, sampled: bool) -> context.Context:
    flags = trace.TraceFlags.SAMPLED if sampled else trace.TraceFlags.DEFAULT
    remote = trace.SpanContext(
        int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=trace.TraceFlags(flags)
    )
    return trace.set_span_in_context(trace.NonRecordingSpan(remote), context.Context())


def _renamed(attributes: Mapping[str, Any], cache_write: str) -> dict[str, Any]:
    """With the name for tokens written to a cache that the back end knows; "": without them."""
    found = dict(attributes)
    tokens = found.pop(names.USAGE_CACHE_WRITE_TOKENS, None)
    return {**found, cache_write: tokens} if tokens is not None and cache_write else found


def _from_environment() -> Resource:
    """`OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES`, which win over our own words."""
    found = Resource.create()
    attributes = dict(found.attributes)
    if str(attributes.get("service.name", "")).startswith("unknown_service"):
        del attributes["service.name"]
    return Resource(attributes)
