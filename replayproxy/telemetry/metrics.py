"""The four histograms of a GenAI client, from exchanges. Needs the `otel` extra.

https://github.com/open-telemetry/semantic-conventions-genai
"""

from collections.abc import Iterable
from itertools import pairwise

from opentelemetry.metrics import Histogram, Meter

from replayproxy.model import Exchange
from replayproxy.telemetry import names
from replayproxy.telemetry.spans import error_type, operation_name, provider_name


class Metrics:
    """Records exchanges; replays are none: nothing was spent, and the time is the recorded one."""

    def __init__(self, meter: Meter) -> None:
        def seconds(name: str, description: str) -> Histogram:
            return meter.create_histogram(
                name,
                unit="s",
                description=description,
                explicit_bucket_boundaries_advisory=names.SECONDS_BUCKETS,
            )

        self._duration = seconds(names.OPERATION_DURATION, "GenAI operation duration.")
        self._first_chunk = seconds(names.TIME_TO_FIRST_CHUNK, "Time to receive the first chunk.")
        self._per_chunk = seconds(
            names.TIME_PER_OUTPUT_CHUNK, "Time between chunks, after the first one."
        )
        self._tokens = meter.create_histogram(
            names.TOKEN_USAGE,
            unit="{token}",
            description="Number of input and output tokens used.",
            explicit_bucket_boundaries_advisory=names.TOKENS_BUCKETS,
        )

    def record(self, exchange: Exchange, chunk_offsets_ns: Iterable[int]) -> None:
        """Take one exchange, and when each of its chunks came."""
        if operation_name(exchange) == "http":
            return
        attributes = _attributes(exchange)
        failed = {names.ERROR_TYPE: kind} if (kind := error_type(exchange)) else {}
        if exchange.end_offset_ns is not None:
            self._duration.record(exchange.end_offset_ns / 1e9, {**attributes, **failed})
        for token_type, count in (
            ("input", exchange.usage.input_tokens),
            ("output", exchange.usage.output_tokens),
        ):
            if count is not None:
                self._tokens.record(count, {**attributes, names.TOKEN_TYPE: token_type})
        if not exchange.streamed or exchange.first_event_ns is None:
            return
        first_ns = exchange.first_event_ns
        self._first_chunk.record(first_ns / 1e9, attributes)
        for before, after in pairwise(at for at in chunk_offsets_ns if at >= first_ns):
            self._per_chunk.record((after - before) / 1e9, attributes)


def _attributes(exchange: Exchange) -> dict[str, str | int]:
    found = {
        names.OPERATION_NAME: operation_name(exchange),
        names.PROVIDER_NAME: provider_name(exchange),
        names.REQUEST_MODEL: exchange.request_model,
        names.RESPONSE_MODEL: exchange.response_model,
        names.SERVER_ADDRESS: exchange.request.host,
        names.SERVER_PORT: exchange.request.port,
    }
    return {name: value for name, value in found.items() if value is not None}
