"""What a span says of an exchange: names, types, values, and what it must not say."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from replayproxy.model import Exchange, Outcome, RequestParameters, Usage
from replayproxy.telemetry import names
from replayproxy.telemetry.spans import Playing, SpanEvent, span_of
from tests.builders import NOON, a_head, a_request, an_exchange

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"
TYPES: dict[str, Any] = {
    "string": str,
    "int": int,
    "double": float,
    "boolean": bool,
    "string[]": list,
}

FULL = an_exchange(
    id=7,
    cassette="demo",
    request=a_request(host="api.openai.com", port=443),
    protocol="openai_chat",
    provider="openai",
    streamed=True,
    request_model="gpt-4o",
    response_model="gpt-4o-2024-08-06",
    response_id="chatcmpl-1",
    finish_reasons=("stop", "length"),
    parameters=RequestParameters(
        temperature=0.5,
        top_p=0.9,
        top_k=40.0,
        max_tokens=100,
        frequency_penalty=0.1,
        presence_penalty=0.2,
        stop_sequences=("END",),
        seed=42,
        choice_count=2,
        output_type="json",
        service_tier="auto",
        conversation_id="conv_1",
    ),
    service_tier="default",
    system_fingerprint="fp_1",
    usage=Usage(
        input_tokens=100,
        output_tokens=20,
        cache_read_tokens=30,
        cache_write_tokens=10,
        reasoning_tokens=5,
    ),
    cost_usd=Decimal("0.0125"),
    cost_source="reported",
    first_event_ns=250_000_000,
    first_content_ns=300_000_000,
    end_offset_ns=1_500_000_000,
    tag="team-a",
    traceparent=TRACEPARENT,
)
SAID = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "server.address": "api.openai.com",
    "server.port": 443,
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.request.stream": True,
    "gen_ai.request.temperature": 0.5,
    "gen_ai.request.top_p": 0.9,
    "gen_ai.request.top_k": 40.0,
    "gen_ai.request.max_tokens": 100,
    "gen_ai.request.frequency_penalty": 0.1,
    "gen_ai.request.presence_penalty": 0.2,
    "gen_ai.request.stop_sequences": ["END"],
    "gen_ai.request.seed": 42,
    "gen_ai.request.choice.count": 2,
    "gen_ai.output.type": "json",
    "gen_ai.conversation.id": "conv_1",
    "gen_ai.response.id": "chatcmpl-1",
    "gen_ai.response.model": "gpt-4o-2024-08-06",
    "gen_ai.response.finish_reasons": ["stop", "length"],
    "gen_ai.response.time_to_first_chunk": 0.25,
    "gen_ai.usage.input_tokens": 100,
    "gen_ai.usage.output_tokens": 20,
    "gen_ai.usage.cache_read.input_tokens": 30,
    "gen_ai.usage.cache_write.input_tokens": 10,
    "gen_ai.usage.reasoning.output_tokens": 5,
    "gen_ai.usage.cost": 0.0125,
    "openai.request.service_tier": "auto",
    "openai.response.service_tier": "default",
    "openai.response.system_fingerprint": "fp_1",
    "replayproxy.exchange.id": 7,
    "replayproxy.cassette": "demo",
    "replayproxy.replayed": False,
    "replayproxy.outcome": "completed",
    "replayproxy.tag": "team-a",
    "replayproxy.cost.usd": 0.0125,
    "replayproxy.cost.source": "reported",
}
PLAYING = Playing(started_at=NOON + timedelta(days=1), duration_ns=300_000_000)


def attributes(**given: Any) -> dict[str, Any]:
    return dict(span_of(replace(FULL, **given)).attributes)


def test_all_that_is_known_is_said_by_the_names_of_the_conventions() -> None:
    span = span_of(FULL)

    assert span.attributes == SAID
    assert (span.name, span.duration_ns) == ("chat gpt-4o", 1_500_000_000)
    assert span.start_ns == 1_788_264_000_123_456_000
    assert datetime.fromtimestamp(span.start_ns // 10**9, tz=UTC) == NOON.replace(microsecond=0)
    assert (span.trace_id, span.parent_span_id, span.sampled) == (TRACE, PARENT, True)
    assert span.events == (
        SpanEvent(name="replayproxy.first_chunk", offset_ns=250_000_000),
        SpanEvent(name="replayproxy.first_content", offset_ns=300_000_000),
    )
    assert span.error is None


def broken() -> Exchange:
    return replace(FULL, outcome=Outcome.UPSTREAM_CLOSED, error="connection lost")


def test_every_attribute_is_in_the_table_and_has_its_type() -> None:
    table = {attribute.name: TYPES[attribute.kind] for attribute in names.ATTRIBUTES}

    said = [span_of(FULL), span_of(broken()), span_of(FULL, PLAYING)]

    assert {name for span in said for name in span.attributes} == set(table)
    for span in said:
        assert {name: type(value) for name, value in span.attributes.items()} == {
            name: table[name] for name in span.attributes
        }


def test_of_the_bare_minimum_only_that_is_said() -> None:
    bare = an_exchange(
        outcome=None, head=None, end_offset_ns=None, request=a_request(method="GET", path="/x")
    )

    span = span_of(bare)

    assert span.name == "http GET"
    assert span.attributes == {
        "gen_ai.operation.name": "http",
        "gen_ai.provider.name": "api.openai.com",
        "server.address": "api.openai.com",
        "server.port": 443,
        "replayproxy.exchange.id": 1,
        "replayproxy.cassette": "default",
        "replayproxy.replayed": False,
    }
    assert (span.duration_ns, span.events) == (0, ())


def test_no_deprecated_name_is_used() -> None:
    everything = {a.name for a in (*names.ATTRIBUTES, *names.CONTENT_ATTRIBUTES)}

    assert not everything & {
        "gen_ai.system",
        "gen_ai.usage.prompt_tokens",
        "gen_ai.usage.completion_tokens",
    }
    assert not any("cache_creation" in name for name in everything)


@pytest.mark.parametrize(
    ("protocol", "path", "operation"),
    [
        ("openai_responses", "/v1/responses", "chat"),
        ("anthropic_messages", "/v1/messages", "chat"),
        ("gemini", "/v1beta/models/x:generateContent", "generate_content"),
        ("gemini_interactions", "/v1beta/interactions", "chat"),
        ("http", "/v1/embeddings", "embeddings"),
        ("http", "/v1/completions/", "text_completion"),
        ("http", "/v1/models", "http"),
    ],
)
def test_the_operation_follows_from_protocol_and_path(
    protocol: str, path: str, operation: str
) -> None:
    assert (
        attributes(protocol=protocol, request=a_request(path=path))["gen_ai.operation.name"]
        == operation
    )


def test_only_what_is_posted_is_an_operation() -> None:
    asked_later = a_request(method="GET", path="/v1/chat/completions")

    assert attributes(protocol="http", request=asked_later)["gen_ai.operation.name"] == "http"


def test_an_unknown_host_is_called_after_the_api_it_speaks() -> None:
    local = a_request(host="127.0.0.1")

    assert attributes(provider=None, request=local)["gen_ai.provider.name"] == "openai"
    anthropic = attributes(provider=None, request=local, protocol="anthropic_messages")
    assert anthropic["gen_ai.provider.name"] == "anthropic"
    assert "openai.response.service_tier" not in anthropic


# -- parents ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "traceparent",
    [
        None,
        "",
        "nonsense",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}",
        f" 00-{TRACE}-{PARENT}-01",
    ],
)
def test_without_a_valid_traceparent_it_is_a_root_of_a_trace_of_its_own(
    traceparent: str | None,
) -> None:
    span = span_of(replace(FULL, traceparent=traceparent))

    assert (span.parent_span_id, span.sampled) == (None, True)
    assert len(span.trace_id) == 32
    assert int(span.trace_id, 16) != 0
    assert span.trace_id != TRACE


def test_a_client_that_does_not_sample_is_heard_and_a_later_version_understood() -> None:
    assert not span_of(replace(FULL, traceparent=f"00-{TRACE}-{PARENT}-00")).sampled
    assert span_of(replace(FULL, traceparent=f"01-{TRACE}-{PARENT}-03-more")).sampled


def test_a_span_has_the_same_ids_whenever_it_is_made_and_no_other_has_them() -> None:
    assert span_of(FULL) == span_of(FULL)
    others = [
        replace(FULL, id=8),
        replace(FULL, cassette="other"),
        replace(FULL, started_at=NOON + timedelta(microseconds=1)),
    ]
    ids = {span_of(exchange).span_id for exchange in (FULL, *others)}
    ids |= {span_of(FULL, PLAYING).span_id}
    ids |= {span_of(FULL, replace(PLAYING, started_at=NOON)).span_id}
    assert len(ids) == 6


# -- errors ----------------------------------------------------------------------------------


def test_a_stream_cut_before_its_end_has_the_finish_reason_error() -> None:
    span = span_of(broken())

    assert span.attributes["gen_ai.response.finish_reasons"] == ["error"]
    assert span.attributes["error.type"] == "upstream_closed"
    assert span.error == "connection lost"


@pytest.mark.parametrize(
    ("given", "kind", "error"),
    [
        ({"head": a_head(status=429), "error": "slow down"}, "429", "slow down"),
        ({"head": a_head(status=503)}, "503", "HTTP 503"),
        ({"error": "overloaded"}, "provider_error", "overloaded"),
        (
            {"outcome": Outcome.CLIENT_CLOSED, "error": "Client disconnected."},
            "client_closed",
            "Client disconnected.",
        ),
        ({"outcome": Outcome.CLIENT_CLOSED}, None, None),
        ({"head": a_head(status=399)}, None, None),
    ],
)
def test_what_counts_as_an_error_has_a_type_and_a_status(
    given: Any, kind: str | None, error: str | None
) -> None:
    span = span_of(replace(FULL, **given))

    assert (span.attributes.get("error.type"), span.error) == (kind, error)


# -- the traps -------------------------------------------------------------------------------


def test_a_cost_that_is_not_known_is_no_attribute_and_the_reason_is() -> None:
    said = attributes(cost_usd=None, cost_source="unknown_model")

    assert "gen_ai.usage.cost" not in said
    assert "replayproxy.cost.usd" not in said
    assert said["replayproxy.cost.source"] == "unknown_model"


def test_a_replay_costs_nothing_has_no_usage_to_bill_and_says_what_it_avoided() -> None:
    span = span_of(FULL, PLAYING)

    changed = {
        "gen_ai.usage.cost": 0.0,
        "replayproxy.cost.usd": 0.0,
        "replayproxy.cost.source": "replay",
        "replayproxy.replayed": True,
        "replayproxy.avoided.cost.usd": 0.0125,
        "replayproxy.avoided.input_tokens": 100,
        "replayproxy.avoided.output_tokens": 20,
    }
    tokens = {name for name in SAID if name.startswith("gen_ai.usage.") and name in SAID}
    kept = {name: value for name, value in SAID.items() if name not in tokens}
    assert span.attributes == {**kept, **changed}


def test_a_replay_has_its_own_time_parent_and_length() -> None:
    span = span_of(FULL, replace(PLAYING, traceparent=f"00-{'1' * 32}-{'2' * 16}-01"))

    assert span.start_ns == span_of(FULL).start_ns + 86_400 * 10**9
    assert (span.trace_id, span.parent_span_id) == ("1" * 32, "2" * 16)
    assert span.duration_ns == 300_000_000
    assert [event.offset_ns for event in span.events] == [50_000_000, 60_000_000]
    root = span_of(FULL, PLAYING)
    assert root.parent_span_id is None, "the recorded client is not the parent of a replay"
    instant = span_of(replace(FULL, end_offset_ns=0), PLAYING)
    assert [event.offset_ns for event in instant.events] == [0, 0]


def test_the_buckets_are_those_of_the_conventions() -> None:
    assert names.SECONDS_BUCKETS == (
        0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
    )  # fmt: skip
    assert names.TOKENS_BUCKETS == (
        1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864,
    )  # fmt: skip
