"""OpenTelemetry: exchanges as spans and metrics.

`spans` and `content` are pure, and work without OpenTelemetry's packages: the
database has a span of every exchange. `exporting` sends them to a collector, needs
the `otel` extra, and is only imported where an endpoint is named (`starting`).
"""
