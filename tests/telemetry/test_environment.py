"""The standard variables decide what leaves; without an endpoint nothing does."""

import pytest

from replayproxy.telemetry.environment import Signals

BASE = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}
CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"


@pytest.mark.parametrize(
    ("environ", "signals"),
    [
        ({}, Signals()),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, Signals()),
        (BASE, Signals(traces=True, metrics=True)),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://x/v1/traces"}, Signals(traces=True)),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://x/v1/metrics"}, Signals(metrics=True)),
        ({**BASE, "OTEL_SDK_DISABLED": "TRUE"}, Signals()),
        ({**BASE, "OTEL_TRACES_EXPORTER": "none"}, Signals(metrics=True)),
        ({**BASE, "OTEL_METRICS_EXPORTER": "prometheus"}, Signals(traces=True)),
        (
            {**BASE, "OTEL_METRICS_EXPORTER": "console, otlp"},
            Signals(traces=True, metrics=True),
        ),
        (
            {**BASE, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"},
            Signals(traces=True, metrics=True),
        ),
        ({**BASE, CAPTURE: "SPAN_ONLY"}, Signals(traces=True, metrics=True, content=True)),
        ({**BASE, CAPTURE: "EVENT_ONLY"}, Signals(traces=True, metrics=True, logs=True)),
        (
            {**BASE, CAPTURE: "EVENT_ONLY", "OTEL_LOGS_EXPORTER": "none"},
            Signals(traces=True, metrics=True),
        ),
        ({CAPTURE: "SPAN_AND_EVENT"}, Signals(content=True)),
    ],
)
def test_what_is_sent_is_what_the_variables_ask_for(
    environ: dict[str, str], signals: Signals
) -> None:
    assert Signals.read(environ) == signals
    assert bool(signals) == (signals.traces or signals.metrics or signals.logs)


def test_a_protocol_that_is_not_spoken_is_told_once_with_the_way_out() -> None:
    signals = Signals.read({**BASE, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"})

    assert not signals
    (problem,) = signals.problems
    assert "=grpc is not spoken" in problem
    assert "http/protobuf" in problem


def test_a_value_for_content_that_nobody_knows_sends_none_and_is_told() -> None:
    signals = Signals.read({**BASE, CAPTURE: "yes"})

    assert (signals.content, signals.logs) == (False, False)
    assert CAPTURE in signals.problems[0]
