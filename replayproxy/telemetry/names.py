"""Every name of the GenAI semantic conventions that we use, and ours, with their types.

https://github.com/open-telemetry/semantic-conventions-genai
The conventions moved out of the core ones, and no package carries their names.
"""

from dataclasses import dataclass
from typing import Literal

type Kind = Literal["string", "int", "double", "boolean", "string[]"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """An attribute of our spans, as the README describes it."""

    name: str
    kind: Kind
    meaning: str


# -- spans -----------------------------------------------------------------------------------

OPERATION_NAME = "gen_ai.operation.name"
PROVIDER_NAME = "gen_ai.provider.name"
REQUEST_MODEL = "gen_ai.request.model"
REQUEST_STREAM = "gen_ai.request.stream"
REQUEST_SEED = "gen_ai.request.seed"
REQUEST_TOP_K = "gen_ai.request.top_k"
REQUEST_CHOICE_COUNT = "gen_ai.request.choice.count"
REQUEST_TEMPERATURE = "gen_ai.request.temperature"
REQUEST_TOP_P = "gen_ai.request.top_p"
REQUEST_MAX_TOKENS = "gen_ai.request.max_tokens"
REQUEST_FREQUENCY_PENALTY = "gen_ai.request.frequency_penalty"
REQUEST_PRESENCE_PENALTY = "gen_ai.request.presence_penalty"
REQUEST_STOP_SEQUENCES = "gen_ai.request.stop_sequences"
OUTPUT_TYPE = "gen_ai.output.type"
CONVERSATION_ID = "gen_ai.conversation.id"
RESPONSE_ID = "gen_ai.response.id"
RESPONSE_MODEL = "gen_ai.response.model"
RESPONSE_FINISH_REASONS = "gen_ai.response.finish_reasons"
RESPONSE_TIME_TO_FIRST_CHUNK = "gen_ai.response.time_to_first_chunk"
USAGE_INPUT_TOKENS = "gen_ai.usage.input_tokens"
USAGE_OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
USAGE_CACHE_READ_TOKENS = "gen_ai.usage.cache_read.input_tokens"
USAGE_CACHE_WRITE_TOKENS = "gen_ai.usage.cache_write.input_tokens"
USAGE_REASONING_TOKENS = "gen_ai.usage.reasoning.output_tokens"
USAGE_COST = "gen_ai.usage.cost"
OPENAI_REQUEST_SERVICE_TIER = "openai.request.service_tier"
OPENAI_RESPONSE_SERVICE_TIER = "openai.response.service_tier"
OPENAI_SYSTEM_FINGERPRINT = "openai.response.system_fingerprint"
ERROR_TYPE = "error.type"
SERVER_ADDRESS = "server.address"
SERVER_PORT = "server.port"

EXCHANGE_ID = "replayproxy.exchange.id"
CASSETTE = "replayproxy.cassette"
REPLAYED = "replayproxy.replayed"
OUTCOME = "replayproxy.outcome"
TAG = "replayproxy.tag"
COST_USD = "replayproxy.cost.usd"
COST_SOURCE = "replayproxy.cost.source"
AVOIDED_COST_USD = "replayproxy.avoided.cost.usd"
AVOIDED_INPUT_TOKENS = "replayproxy.avoided.input_tokens"
AVOIDED_OUTPUT_TOKENS = "replayproxy.avoided.output_tokens"

INPUT_MESSAGES = "gen_ai.input.messages"
OUTPUT_MESSAGES = "gen_ai.output.messages"
SYSTEM_INSTRUCTIONS = "gen_ai.system_instructions"
TOOL_DEFINITIONS = "gen_ai.tool.definitions"


def _attributes(*rows: tuple[str, Kind, str]) -> tuple[Attribute, ...]:
    return tuple(Attribute(name=name, kind=kind, meaning=meaning) for name, kind, meaning in rows)


ATTRIBUTES = _attributes(
    (OPERATION_NAME, "string",
     "`chat`, `generate_content`, `text_completion`, `embeddings`, `http`"),
    (PROVIDER_NAME, "string", "who serves the host; of an unknown one, whose API it speaks"),
    (SERVER_ADDRESS, "string", "the upstream's host"),
    (SERVER_PORT, "int", "its port"),
    (ERROR_TYPE, "string", "an error's status; how it broke off; `provider_error` inside a 200"),
    (REQUEST_MODEL, "string", "the model that was asked for"),
    (REQUEST_STREAM, "boolean", "true, if the answer was a stream"),
    (REQUEST_TEMPERATURE, "double", "as the request says, like the next ones"),
    (REQUEST_TOP_P, "double", ""),
    (REQUEST_TOP_K, "double", ""),
    (REQUEST_MAX_TOKENS, "int", ""),
    (REQUEST_FREQUENCY_PENALTY, "double", ""),
    (REQUEST_PRESENCE_PENALTY, "double", ""),
    (REQUEST_STOP_SEQUENCES, "string[]", ""),
    (REQUEST_SEED, "int", ""),
    (REQUEST_CHOICE_COUNT, "int", "if it is not 1"),
    (OUTPUT_TYPE, "string", "`text`, `json`, `image` or `speech`, if the request says so"),
    (CONVERSATION_ID, "string", "the provider's id of a stored conversation; never invented"),
    (RESPONSE_ID, "string", ""),
    (RESPONSE_MODEL, "string", "the model that answered"),
    (RESPONSE_FINISH_REASONS, "string[]", "one for each choice; `error` of a stream that was cut"),
    (RESPONSE_TIME_TO_FIRST_CHUNK, "double", "of a stream, in seconds"),
    (USAGE_INPUT_TOKENS, "int", "cached ones included"),
    (USAGE_OUTPUT_TOKENS, "int", "reasoning included"),
    (USAGE_CACHE_READ_TOKENS, "int", ""),
    (USAGE_CACHE_WRITE_TOKENS, "int", "another name, or none: `--otel-cache-write`"),
    (USAGE_REASONING_TOKENS, "int", ""),
    (USAGE_COST, "double", "USD; what Langfuse and OpenLIT read"),
    (OPENAI_REQUEST_SERVICE_TIER, "string", "of OpenAI's APIs, as the next two"),
    (OPENAI_RESPONSE_SERVICE_TIER, "string", ""),
    (OPENAI_SYSTEM_FINGERPRINT, "string", ""),
    (EXCHANGE_ID, "int", "its `id` in the database"),
    (CASSETTE, "string", ""),
    (REPLAYED, "boolean", "whether it was answered from a recording"),
    (OUTCOME, "string", "`completed`, `client_closed`, `upstream_closed`, `interrupted`"),
    (TAG, "string", ""),
    (COST_USD, "double", "0 of a replay; not there if it is not known"),
    (COST_SOURCE, "string", "who says so, or why it is not known"),
    (AVOIDED_COST_USD, "double", "of a replay: what the recorded exchange had cost"),
    (AVOIDED_INPUT_TOKENS, "int", "of a replay, in place of its usage: back ends would bill that"),
    (AVOIDED_OUTPUT_TOKENS, "int", ""),
)  # fmt: skip
"""All that a span can carry, but for content."""

CONTENT_ATTRIBUTES = _attributes(
    (SYSTEM_INSTRUCTIONS, "string", "JSON, as are the next three"),
    (INPUT_MESSAGES, "string", ""),
    (OUTPUT_MESSAGES, "string", ""),
    (TOOL_DEFINITIONS, "string", ""),
)
"""Only if `OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT` says so."""

FIRST_CHUNK_EVENT = "replayproxy.first_chunk"
FIRST_CONTENT_EVENT = "replayproxy.first_content"
DETAILS_EVENT = "gen_ai.client.inference.operation.details"
"""The log record that carries content, if it is captured as events."""

# -- metrics ---------------------------------------------------------------------------------

OPERATION_DURATION = "gen_ai.client.operation.duration"
TOKEN_USAGE = "gen_ai.client.token.usage"  # noqa: S105 - no password
TIME_TO_FIRST_CHUNK = "gen_ai.client.operation.time_to_first_chunk"
TIME_PER_OUTPUT_CHUNK = "gen_ai.client.operation.time_per_output_chunk"
TOKEN_TYPE = "gen_ai.token.type"  # noqa: S105 - no password

SECONDS_BUCKETS = tuple(0.01 * 2**n for n in range(14))
"""0.01 s, doubling to 81.92 s."""
TOKENS_BUCKETS = tuple(4**n for n in range(14))
"""1, times four, to 67,108,864."""

CAPTURE_CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
