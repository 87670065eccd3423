"""The real exporters against a real OTLP receiver: what arrives, and who never waits for it."""

import json
import logging
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from replayproxy.model import Usage
from replayproxy.store import Store, Writer
from replayproxy.telemetry import exporting, names
from replayproxy.telemetry.exporting import CLOSE_PATIENCE_S, Telemetry
from replayproxy.telemetry.spans import span_of
from replayproxy.telemetry.starting import start
from tests.builders import DONE, a_request, asking, chunks, record, says, written
from tests.telemetry.collector import Collector, collecting, kinds, values
from tests.telemetry.test_spans import FULL, PLAYING, SAID, TRACE, broken

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
CAPTURE = names.CAPTURE_CONTENT
ASK = {
    "model": "gpt-4o",
    "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
}


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    """Whatever a collector did to them, OpenTelemetry's threads end when they are told to."""
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        thread.join(20)
        assert not thread.is_alive(), thread.name


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with collecting() as running:
        monkeypatch.setenv(ENDPOINT, running.url)
        yield running


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database whose exchange 7 is a stream of four chunks."""
    usage = b'data: {"usage":{"prompt_tokens":9,"completion_tokens":2}}\n\n'
    body = chunks(
        (10**7, b": wait\n\n"),
        (10**8, says("Hel")),
        (3 * 10**8, says("lo")),
        (4 * 10**8, usage + DONE),
    )
    asked = a_request(body=json.dumps(ASK).encode())
    return written(tmp_path / "a.db", *({"request": asked, "body": body} for _ in range(7)))


def started(path: Path, **given: Any) -> Telemetry:
    telemetry = start(lambda: Store(path), **given)
    assert telemetry is not None
    return telemetry


def sent(path: Path, collector: Collector, *jobs: Any, **given: Any) -> Any:
    """Send these, and give the first span that came."""
    telemetry = started(path, **given)
    for job in jobs:
        telemetry.add(*job)
    telemetry.close(patience_s=30)
    return collector.span()


# -- spans -----------------------------------------------------------------------------------


def test_a_span_carries_exactly_the_documented_attributes_with_their_types(
    path: Path, collector: Collector
) -> None:
    span = sent(path, collector, (FULL,))

    table = {attribute.name: attribute.kind for attribute in names.ATTRIBUTES}
    assert values(span.attributes) == SAID
    assert kinds(span.attributes) == {name: table[name] for name in SAID}


def test_a_span_is_a_child_of_the_clients_and_has_the_exchanges_times(
    path: Path, collector: Collector
) -> None:
    span = sent(path, collector, (FULL,))

    expected = span_of(FULL)
    assert (span.name, span.kind) == ("chat gpt-4o", span.SPAN_KIND_CLIENT)
    assert (span.trace_id.hex(), span.span_id.hex()) == (TRACE, expected.span_id)
    assert span.parent_span_id.hex() == expected.parent_span_id
    assert span.start_time_unix_nano == expected.start_ns
    assert span.end_time_unix_nano == expected.start_ns + 1_500_000_000
    assert [(event.name, event.time_unix_nano - expected.start_ns) for event in span.events] == [
        ("replayproxy.first_chunk", 250_000_000),
        ("replayproxy.first_content", 300_000_000),
    ]
    assert span.status.code == span.status.STATUS_CODE_UNSET


def test_an_error_is_the_spans_status(path: Path, collector: Collector) -> None:
    span = sent(path, collector, (broken(),))

    assert (span.status.code, span.status.message) == (
        span.status.STATUS_CODE_ERROR,
        "connection lost",
    )
    assert values(span.attributes)["error.type"] == "upstream_closed"


def test_a_replay_is_marked_costs_nothing_and_is_no_measurement(
    path: Path, collector: Collector
) -> None:
    span = sent(path, collector, (FULL, PLAYING))

    assert values(span.attributes) == span_of(FULL, PLAYING).attributes
    assert values(span.attributes)["replayproxy.replayed"] is True
    assert collector.metrics == {}


def test_what_the_client_does_not_sample_is_not_sent(path: Path, collector: Collector) -> None:
    unsampled = "00-" + TRACE + "-" + "1" * 16 + "-00"
    span = sent(path, collector, (replace(FULL, traceparent=unsampled),), (FULL,))

    assert span.parent_span_id.hex() == span_of(FULL).parent_span_id
    assert collector.spans.empty()


def test_the_resource_is_ours_unless_the_environment_names_it(
    path: Path, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent(path, collector, (FULL,))
    monkeypatch.setenv("OTEL_SERVICE_NAME", "mine")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "team=a")
    sent(path, collector, (FULL,))

    ours, theirs = collector.resources
    assert (ours["service.name"], ours["telemetry.sdk.language"]) == ("replayproxy", "python")
    assert (theirs["service.name"], theirs["team"]) == ("mine", "a")


@pytest.mark.parametrize(
    ("name", "present"), [("gen_ai.usage.cache_creation.input_tokens", True), ("none", False)]
)
def test_tokens_written_to_a_cache_can_have_another_name_or_none(
    path: Path, collector: Collector, name: str, present: bool
) -> None:
    attributes = values(sent(path, collector, (FULL,), cache_write=name).attributes)

    assert "gen_ai.usage.cache_write.input_tokens" not in attributes
    assert attributes.get(name) == (10 if present else None)
    assert len(attributes) == len(SAID) - (not present)


# -- metrics ---------------------------------------------------------------------------------


def points(collector: Collector, name: str) -> list[Any]:
    return list(collector.metrics[name].histogram.data_points)


def test_the_four_histograms_have_the_buckets_units_and_attributes_of_the_conventions(
    path: Path, collector: Collector
) -> None:
    with Store(path) as store:
        exchange = store.exchange(7)
    telemetry = started(path)
    telemetry.add(exchange)
    telemetry.close(patience_s=30)

    assert set(collector.metrics) == {
        "gen_ai.client.operation.duration",
        "gen_ai.client.token.usage",
        "gen_ai.client.operation.time_to_first_chunk",
        "gen_ai.client.operation.time_per_output_chunk",
    }
    common = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "server.address": "api.openai.com",
        "server.port": 443,
    }
    for name, sums in {
        names.OPERATION_DURATION: (1, 0.4),
        names.TIME_TO_FIRST_CHUNK: (1, 0.1),
        names.TIME_PER_OUTPUT_CHUNK: (2, 0.3),
    }.items():
        (point,) = points(collector, name)
        assert [point.count, point.sum] == pytest.approx(sums)
        assert tuple(point.explicit_bounds) == names.SECONDS_BUCKETS
        assert values(point.attributes) == common
        assert collector.metrics[name].unit == "s"
    tokens = {
        values(p.attributes)["gen_ai.token.type"]: p for p in points(collector, names.TOKEN_USAGE)
    }
    assert {kind: (p.count, p.sum) for kind, p in tokens.items()} == {
        "input": (1, 9),
        "output": (1, 2),
    }
    assert tuple(tokens["input"].explicit_bounds) == names.TOKENS_BUCKETS
    assert collector.metrics[names.TOKEN_USAGE].unit == "{token}"


def test_an_error_is_an_attribute_of_the_duration_only(path: Path, collector: Collector) -> None:
    sent(path, collector, (broken(),))

    (duration,) = points(collector, names.OPERATION_DURATION)
    (first_chunk,) = points(collector, names.TIME_TO_FIRST_CHUNK)
    assert values(duration.attributes)["error.type"] == "upstream_closed"
    assert "error.type" not in values(first_chunk.attributes)


def test_what_was_not_said_or_is_no_llm_call_is_not_measured(
    path: Path, collector: Collector
) -> None:
    no_usage = replace(FULL, usage=Usage(), streamed=False)
    other = replace(FULL, protocol="http", request=a_request(path="/v1/models"))
    sent(path, collector, (no_usage,), (other,))

    assert set(collector.metrics) == {names.OPERATION_DURATION}
    assert points(collector, names.OPERATION_DURATION)[0].count == 1


# -- content ---------------------------------------------------------------------------------

CONTENT = {
    "gen_ai.input.messages": [
        {"role": "system", "parts": [{"type": "text", "content": "Be brief."}]},
        {"role": "user", "parts": [{"type": "text", "content": "Hi"}]},
    ],
    "gen_ai.output.messages": [
        {
            "role": "assistant",
            "parts": [{"type": "text", "content": "Hello"}],
            "finish_reason": "error",
        }
    ],
}


def content(attributes: dict[str, Any]) -> dict[str, Any]:
    known = {attribute.name for attribute in names.CONTENT_ATTRIBUTES}
    return {name: json.loads(value) for name, value in attributes.items() if name in known}


@pytest.mark.parametrize(
    ("mode", "sent_in"),
    [
        (None, set()),
        ("NO_CONTENT", set()),
        ("span_only", {"span"}),
        ("EVENT_ONLY", {"event"}),
        ("SPAN_AND_EVENT", {"span", "event"}),
        ("true", set()),
    ],
)
def test_content_is_sent_on_opt_in_only(
    path: Path,
    collector: Collector,
    monkeypatch: pytest.MonkeyPatch,
    mode: str | None,
    sent_in: set[str],
) -> None:
    if mode:
        monkeypatch.setenv(CAPTURE, mode)

    span = sent(path, collector, (FULL,))

    assert content(values(span.attributes)) == (CONTENT if "span" in sent_in else {})
    logs = [] if collector.logs.empty() else [collector.logs.get()]
    assert len(logs) == ("event" in sent_in)
    for log in logs:
        assert log.event_name == "gen_ai.client.inference.operation.details"
        assert (log.trace_id, log.span_id) == (span.trace_id, span.span_id)
        said = values(log.attributes)
        assert content(said) == CONTENT
        assert {name: said[name] for name in SAID} == SAID


# -- collectors that are dead, slow or refuse -------------------------------------------------


def test_without_an_endpoint_nothing_is_started(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(ENDPOINT, raising=False)

    assert start(lambda: Store(path)) is None


def test_a_collector_that_never_answers_is_not_waited_for(
    path: Path, collector: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    collector.answering.clear()
    telemetry = started(path)
    telemetry.add(FULL)

    telemetry.close(patience_s=0.2)

    assert not collector.answering.is_set(), "close came back while nothing was answered"
    assert "did not take all that was left in time" in caplog.text


def test_the_patience_at_the_end_is_less_than_five_seconds() -> None:
    assert CLOSE_PATIENCE_S < 5


def test_a_collector_that_refuses_is_told_once(
    path: Path, collector: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    collector.status = 400
    telemetry = started(path)
    for _ in range(3):
        telemetry.add(FULL)
    telemetry.close(patience_s=30)

    told = [line for line in caplog.messages if "v1/traces does not take" in line]
    assert len(told) == 1
    assert not any(logger.startswith("opentelemetry") for logger, *_ in caplog.record_tuples)


def test_a_collector_that_is_not_there_costs_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    monkeypatch.setenv(ENDPOINT, f"http://127.0.0.1:{port}")
    telemetry = started(path)
    telemetry.add(FULL)

    telemetry.close(patience_s=0.5)

    assert "telemetry" in caplog.text


def test_what_comes_faster_than_it_can_be_sent_is_lost_and_told_once(
    path: Path,
    collector: Collector,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(exporting, "QUEUED", 2)
    go_on, opened = threading.Event(), threading.Event()

    def slow_disk() -> Store:
        opened.set()
        go_on.wait()
        return Store(path)

    telemetry = start(slow_disk)
    assert telemetry is not None
    telemetry.add(FULL)
    opened.wait()
    for _ in range(5):
        telemetry.add(FULL)
    go_on.set()
    telemetry.close(patience_s=30)

    assert collector.spans.qsize() == 3
    assert sum("come faster than they can be sent" in line for line in caplog.messages) == 1


def test_a_database_that_cannot_be_read_costs_the_spans_and_is_told(
    tmp_path: Path, collector: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    telemetry = started(tmp_path / "none.db")
    telemetry.add(FULL)
    telemetry.add(broken())
    telemetry.close(patience_s=30)

    assert sum("could not be sent" in line for line in caplog.messages) == 1


def test_the_writer_never_waits_for_a_collector(tmp_path: Path, collector: Collector) -> None:
    collector.answering.clear()
    path = tmp_path / "a.db"
    telemetry = start(lambda: Store(path))
    assert telemetry is not None
    writer = Writer(path, on_stored=telemetry.add)
    for _ in range(20):
        record(writer, *chunks((1, says("hi") + DONE)), request=asking())
    writer.close()
    telemetry.close(patience_s=0.1)

    assert (writer.recorded, writer.not_recorded) == (20, 0)
    assert not collector.answering.is_set()


def test_without_the_extra_that_is_said_and_nothing_is_started(
    path: Path,
    collector: Collector,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("replayproxy.telemetry.starting.PACKAGE", "opentelemetry.not.there")

    with caplog.at_level(logging.WARNING):
        assert start(lambda: Store(path)) is None

    assert "pip install 'replayproxy[otel]'" in caplog.text
