"""A real OTLP/HTTP receiver, made of opentelemetry-proto: keeps what it is sent."""

import gzip
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

KINDS = {
    "string_value": "string",
    "int_value": "int",
    "double_value": "double",
    "bool_value": "boolean",
    "array_value": "string[]",
}
"""The fields of protobuf's AnyValue, in the words of the span table."""


@dataclass(slots=True)
class Collector:
    """What has come, and how it answers."""

    url: str
    status: int = 200
    spans: "queue.Queue[Any]" = field(default_factory=queue.Queue)
    logs: "queue.Queue[Any]" = field(default_factory=queue.Queue)
    metrics: dict[str, Any] = field(default_factory=dict)
    resources: list[dict[str, Any]] = field(default_factory=list)
    asked: threading.Event = field(default_factory=threading.Event)
    answering: threading.Event = field(default_factory=threading.Event)
    """Cleared, it leaves every request without an answer."""

    def span(self) -> Any:
        """The next one."""
        return self.spans.get(timeout=20)

    def take(self, path: str, body: bytes) -> None:
        match path:
            case "/v1/traces":
                for group in ExportTraceServiceRequest.FromString(body).resource_spans:
                    self.resources.append(values(group.resource.attributes))
                    for scope in group.scope_spans:
                        for span in scope.spans:
                            self.spans.put(span)
            case "/v1/metrics":
                for group in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                    for scope in group.scope_metrics:
                        self.metrics |= {metric.name: metric for metric in scope.metrics}
            case "/v1/logs":
                for group in ExportLogsServiceRequest.FromString(body).resource_logs:
                    for scope in group.scope_logs:
                        for record in scope.log_records:
                            self.logs.put(record)


def values(attributes: Any) -> dict[str, Any]:
    """Attributes by name."""
    return {pair.key: _value(pair.value) for pair in attributes}


def kinds(attributes: Any) -> dict[str, str]:
    """The type of each attribute on the wire."""
    return {pair.key: KINDS[_kind(pair)] for pair in attributes}


def _kind(pair: KeyValue) -> str:
    return str(pair.value.WhichOneof("value"))


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    return getattr(value, str(kind))


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector on a free port for the length of a `with` block."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            collector.asked.set()
            collector.answering.wait()
            if collector.status == 200:
                collector.take(self.path, body)
            self.send_response(collector.status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    collector = Collector(url=f"http://127.0.0.1:{server.server_address[1]}")
    collector.answering.set()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield collector
    finally:
        collector.answering.set()
        server.shutdown()
        server.server_close()
