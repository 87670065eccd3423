"""The schema's history: one numbered function a change, never edited once released.

`docs` for people who open the file: see the comments in the SQL; they stay in
`sqlite_schema`.
"""

from sqlite_utils import Database, Migrations

APPLICATION_ID = 0x72706C79
"""`PRAGMA application_id` of our files: "rply"."""

migrations = Migrations("replayproxy")


@migrations()
def m001_exchanges(db: Database) -> None:
    """Exchanges, their requests and responses, bodies, and streams in flight."""
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    for statement in _M001:
        db.execute(statement)


@migrations()
def m002_match_keys_and_replays(db: Database) -> None:
    """Several match keys an exchange, by several rules; what was replayed."""
    for statement in _M002:
        db.execute(statement)


@migrations()
def m003_usage_cost_and_spans(db: Database) -> None:
    """All that is billed, whose price it was, what replays avoided, and spans."""
    for statement in _M003:
        db.execute(statement)


@migrations()
def m004_bodies_against_others(db: Database) -> None:
    """A body that goes on from an earlier one takes the space of its growth."""
    for statement in _M004:
        db.execute(statement)


@migrations()
def m005_search(db: Database) -> None:
    """Prompts and answers can be searched; the index remembers how far it is."""
    for statement in _M005:
        db.execute(statement)


@migrations()
def m006_spans_are_derived(db: Database) -> None:
    """Spans become a view; of a replay it is kept what its span is made of."""
    for statement in _M006:
        db.execute(statement)


@migrations()
def m007_rollups(db: Database) -> None:
    """Sums by day, the rhythm of each stream, and what facets and filters are read from."""
    for statement in _M007:
        db.execute(statement)


_M001 = (
    """
CREATE TABLE settings (
  name TEXT PRIMARY KEY,
  value BLOB NOT NULL
) STRICT
""",
    """
CREATE TABLE runs (           -- one start of a recorder
  id INTEGER PRIMARY KEY,
  started_at TEXT NOT NULL,   -- ISO 8601, UTC
  ended_at TEXT,              -- null: running, or killed
  pid INTEGER NOT NULL,
  version TEXT NOT NULL
) STRICT
""",
    """
CREATE TABLE bodies (         -- each content once
  id INTEGER PRIMARY KEY,
  sha256 BLOB NOT NULL UNIQUE,
  size INTEGER NOT NULL,      -- before compression
  data BLOB NOT NULL          -- zstd
) STRICT
""",
    """
CREATE TABLE exchanges (      -- what one looks at and counts; the bytes are elsewhere
  id INTEGER PRIMARY KEY AUTOINCREMENT, -- in the order of their requests, never used again
  cassette TEXT NOT NULL,
  started_at TEXT NOT NULL,   -- ISO 8601, UTC, microseconds
  method TEXT NOT NULL,
  host TEXT NOT NULL,
  path TEXT NOT NULL,
  status INTEGER,
  outcome TEXT CHECK (outcome IN
    ('completed', 'client_closed', 'upstream_closed', 'interrupted')), -- null: still running
  error TEXT,
  protocol TEXT NOT NULL,
  provider TEXT,
  streamed INTEGER NOT NULL DEFAULT 0,
  request_model TEXT,
  response_model TEXT,
  finish_reason TEXT,
  input_tokens INTEGER,       -- includes cached ones
  output_tokens INTEGER,      -- includes reasoning
  cache_read_tokens INTEGER,
  cache_write_tokens INTEGER,
  reasoning_tokens INTEGER,
  cost_usd REAL,
  cost_source TEXT,           -- who says so, or why there is none
  time_to_headers_ms REAL,    -- all times: since the last byte of the request
  time_to_first_chunk_ms REAL,
  time_to_first_content_ms REAL,
  duration_ms REAL,
  chunk_count INTEGER,
  request_bytes INTEGER,
  response_bytes INTEGER,
  tag TEXT,
  sdk TEXT,
  sdk_version TEXT,
  request_id TEXT,            -- the provider's
  traceparent TEXT,
  retry_count INTEGER,
  key_fingerprint TEXT,       -- of the API key it was made with
  run_id INTEGER NOT NULL REFERENCES runs (id)
) STRICT
""",
    """
CREATE TABLE requests (
  exchange_id INTEGER PRIMARY KEY REFERENCES exchanges (id) ON DELETE CASCADE,
  match_key TEXT,             -- mk1:..., what a replay looks for
  scheme TEXT NOT NULL,
  port INTEGER NOT NULL,
  query TEXT NOT NULL,        -- without secrets
  http_version TEXT NOT NULL,
  headers TEXT NOT NULL,      -- JSON [[name, value], ...], without secrets
  body_id INTEGER REFERENCES bodies (id)
) STRICT
""",
    """
CREATE TABLE responses (
  exchange_id INTEGER PRIMARY KEY REFERENCES exchanges (id) ON DELETE CASCADE,
  reason TEXT NOT NULL,
  http_version TEXT NOT NULL,
  headers TEXT NOT NULL,      -- JSON [[name, value], ...], without secrets
  headers_offset_ns INTEGER NOT NULL,
  end_offset_ns INTEGER,
  ending TEXT,                -- how the transport ended; null: still running
  body_id INTEGER REFERENCES bodies (id),
  chunk_table BLOB            -- (offset_ns, length) a chunk, varints; see the view "chunks"
) STRICT
""",
    """
CREATE TABLE journal (        -- streams in flight, piece by piece; empty when all is done
  exchange_id INTEGER NOT NULL REFERENCES exchanges (id) ON DELETE CASCADE,
  seq INTEGER NOT NULL,
  data BLOB NOT NULL,         -- the pieces of an exchange, joined, are one zstd frame
  chunk_table BLOB NOT NULL,
  PRIMARY KEY (exchange_id, seq)
) STRICT
""",
    "CREATE INDEX requests_match_key ON requests (match_key, exchange_id)",
    "CREATE INDEX exchanges_started_at ON exchanges (started_at)",
    "CREATE INDEX exchanges_cassette_path ON exchanges (cassette, path, id)",
    "CREATE INDEX exchanges_unfinished ON exchanges (run_id) WHERE outcome IS NULL",
    "CREATE INDEX exchanges_request_model ON exchanges (request_model, started_at)",
    "CREATE INDEX exchanges_error ON exchanges (started_at) WHERE error IS NOT NULL",
    "CREATE INDEX requests_body ON requests (body_id)",
    "CREATE INDEX responses_body ON responses (body_id)",
)

_M002 = (
    """
CREATE TABLE match_keys (     -- what a replay looks for: exchanges that may answer
  key TEXT NOT NULL,          -- mk1:..., or by other rules mk1+NAME:...
  cassette TEXT NOT NULL,
  host TEXT NOT NULL,
  exchange_id INTEGER NOT NULL REFERENCES exchanges (id) ON DELETE CASCADE,
  PRIMARY KEY (key, cassette, host, exchange_id)
) STRICT, WITHOUT ROWID
""",
    """
CREATE TABLE match_rules (    -- rules whose keys are kept
  name TEXT NOT NULL,
  cassette TEXT NOT NULL,
  rules TEXT NOT NULL,        -- JSON
  indexed_to INTEGER NOT NULL, -- the newest exchange that has its key
  PRIMARY KEY (name, cassette)
) STRICT
""",
    """
CREATE TABLE replays (        -- what was asked of a replay, and what answered
  id INTEGER PRIMARY KEY,
  replayed_at TEXT NOT NULL,  -- ISO 8601, UTC, microseconds
  cassette TEXT NOT NULL,
  session TEXT NOT NULL,      -- the isolation token; mostly empty
  result TEXT NOT NULL CHECK (result IN ('hit', 'miss', 'recorded', 'forwarded', 'error')),
  exchange_id INTEGER REFERENCES exchanges (id) ON DELETE SET NULL, -- a hit's
  normalized TEXT,            -- a hit's: where it differs from what was recorded
  late_ms REAL,               -- a hit's: how late its latest write left
  method TEXT NOT NULL,
  host TEXT NOT NULL,
  path TEXT NOT NULL,
  request_model TEXT,
  closest_id INTEGER REFERENCES exchanges (id) ON DELETE SET NULL, -- a miss's
  message TEXT                -- what the client was told, if it was no hit
) STRICT
""",
    """
INSERT INTO match_keys (key, cassette, host, exchange_id)
SELECT requests.match_key, exchanges.cassette, exchanges.host, exchanges.id
FROM requests JOIN exchanges ON exchanges.id = requests.exchange_id
WHERE requests.match_key IS NOT NULL AND exchanges.status IS NOT NULL
  AND exchanges.outcome IN ('completed', 'client_closed', 'upstream_closed')
""",
    "DROP INDEX requests_match_key",
    "ALTER TABLE requests DROP COLUMN match_key",
    "CREATE INDEX match_keys_exchange ON match_keys (exchange_id)",
    "CREATE INDEX replays_exchange ON replays (exchange_id)",
    "CREATE INDEX replays_closest ON replays (closest_id)",
    # a miss is compared with what is as long as it
    """CREATE INDEX exchanges_request_size
    ON exchanges (cassette, path, request_model, request_bytes)""",
)

_ADDED_TO_EXCHANGES = (
    "finish_reasons TEXT",  # JSON, one for each choice
    "response_id TEXT",
    "request_parameters TEXT",  # JSON: temperature, max_tokens, ...
    "service_tier TEXT",
    "system_fingerprint TEXT",
    "cache_write_1h_tokens INTEGER",
    "input_audio_tokens INTEGER",
    "output_audio_tokens INTEGER",
    "cache_read_audio_tokens INTEGER",
    "web_searches INTEGER",
    "usage_problems TEXT",  # JSON {column: what was said}
    "estimated_input_tokens INTEGER",  # where the provider said nothing, and this was asked for
    "estimated_output_tokens INTEGER",
    "estimate_source TEXT",
    "reported_cost_usd REAL",
    "computed_cost_usd REAL",
    "price_version TEXT",  # of the price list that computed it
    "price_model TEXT",  # provider/model, as the price list has them
)

_M003 = (
    *(f"ALTER TABLE exchanges ADD COLUMN {column}" for column in _ADDED_TO_EXCHANGES),
    "UPDATE exchanges SET reported_cost_usd = cost_usd WHERE cost_source = 'reported'",
    "UPDATE exchanges SET computed_cost_usd = cost_usd WHERE cost_source = 'genai-prices'",
    "ALTER TABLE replays ADD COLUMN avoided_cost_usd REAL",  # what answered had cost so much
    "ALTER TABLE replays ADD COLUMN avoided_input_tokens INTEGER",
    "ALTER TABLE replays ADD COLUMN avoided_output_tokens INTEGER",
    """UPDATE replays SET (avoided_cost_usd, avoided_input_tokens, avoided_output_tokens) =
    (SELECT cost_usd, input_tokens, output_tokens FROM exchanges WHERE id = exchange_id)
    WHERE exchange_id IS NOT NULL""",
    """
CREATE TABLE spans (          -- OpenTelemetry's view of exchanges and of their replays
  id INTEGER PRIMARY KEY,
  exchange_id INTEGER NOT NULL REFERENCES exchanges (id) ON DELETE CASCADE,
  replayed INTEGER NOT NULL,
  trace_id TEXT NOT NULL,     -- hex; the client's, if it sent a traceparent
  span_id TEXT NOT NULL,
  parent_span_id TEXT,
  name TEXT NOT NULL,
  started_at TEXT NOT NULL,   -- ISO 8601, UTC, microseconds
  duration_ms REAL NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('UNSET', 'ERROR')),
  status_message TEXT,
  attributes TEXT NOT NULL,   -- JSON object
  events TEXT NOT NULL        -- JSON [{name, offset_ms, attributes}, ...]
) STRICT
""",
    "CREATE INDEX spans_exchange ON spans (exchange_id)",
    "CREATE INDEX spans_replayed ON spans (id) WHERE replayed",
    "CREATE INDEX spans_trace ON spans (trace_id)",
    "CREATE INDEX replays_replayed_at ON replays (replayed_at)",
)

_M004 = (
    # null: it is read by itself; else `data` was compressed against that one
    "ALTER TABLE bodies ADD COLUMN base_id INTEGER REFERENCES bodies (id)",
    "CREATE INDEX bodies_base ON bodies (base_id) WHERE base_id IS NOT NULL",
)

_M005 = (
    """
CREATE TABLE search_position ( -- one row: exchanges to this one are indexed, but for the queue
  exchange_id INTEGER NOT NULL
) STRICT
""",
    "INSERT INTO search_position (exchange_id) VALUES (0)",
    """
CREATE TABLE search_queue (   -- was still running then, or is to be indexed anew
  exchange_id INTEGER PRIMARY KEY REFERENCES exchanges (id) ON DELETE CASCADE
) STRICT
""",
    """
CREATE TABLE search_docs (    -- what was indexed of an exchange; the index is the table "search"
  exchange_id INTEGER PRIMARY KEY REFERENCES exchanges (id) ON DELETE CASCADE,
  prompt BLOB NOT NULL,       -- zstd
  answer BLOB NOT NULL,       -- zstd
  opening INTEGER,            -- hash of the first message
  thread INTEGER              -- hash of all to the first one that is the user's
) STRICT
""",
    """
CREATE TABLE search_once (    -- messages that were indexed, and with which exchange
  hash INTEGER PRIMARY KEY,
  exchange_id INTEGER NOT NULL REFERENCES exchanges (id) ON DELETE CASCADE
) STRICT
""",
    "CREATE INDEX search_docs_opening ON search_docs (opening) WHERE opening IS NOT NULL",
    "CREATE INDEX search_docs_thread ON search_docs (thread) WHERE thread IS NOT NULL",
    "CREATE INDEX search_once_exchange ON search_once (exchange_id)",
)

_M006 = (
    "ALTER TABLE replays ADD COLUMN duration_ms REAL",  # a hit's: how long it took to play
    "ALTER TABLE replays ADD COLUMN traceparent TEXT",  # of the request that was answered
    """UPDATE replays SET (duration_ms, traceparent) = (
      SELECT duration_ms, '00-' || trace_id || '-' || parent_span_id || '-01' FROM spans
      WHERE replayed AND spans.exchange_id = replays.exchange_id AND started_at <= replayed_at
      ORDER BY started_at DESC LIMIT 1)
    WHERE result = 'hit'""",
    "DROP TABLE spans",
    # whose trace was it?
    "CREATE INDEX exchanges_trace ON exchanges (traceparent) WHERE traceparent IS NOT NULL",
    "CREATE INDEX replays_trace ON replays (traceparent) WHERE traceparent IS NOT NULL",
)

_M007 = (
    # of an answer in two chunks or more; null: not known, as of what was recorded before
    "ALTER TABLE exchanges ADD COLUMN longest_gap_ms REAL",
    "ALTER TABLE exchanges ADD COLUMN stalls INTEGER",  # gaps that stand out, see rhythm.py
    """
CREATE TABLE uncounted (      -- exchanges that are not in the tables daily_... yet
  exchange_id INTEGER PRIMARY KEY REFERENCES exchanges (id) ON DELETE CASCADE
) STRICT
""",
    """
CREATE TABLE daily_figures (  -- sums; "" stands for null; x_said: of how many x is known
  day TEXT NOT NULL,
  provider TEXT NOT NULL,
  model TEXT NOT NULL,
  tag TEXT NOT NULL,
  key_fingerprint TEXT NOT NULL,
  cassette TEXT NOT NULL,
  exchanges INTEGER NOT NULL,
  errors INTEGER NOT NULL,
  exchanges_without_cost INTEGER NOT NULL,
  stalled INTEGER NOT NULL,   -- exchanges with a stall
  cost_usd REAL NOT NULL,
  cost_usd_said INTEGER NOT NULL,
  input_tokens INTEGER NOT NULL,
  input_tokens_said INTEGER NOT NULL,
  cache_read_tokens INTEGER NOT NULL,
  cache_read_tokens_said INTEGER NOT NULL,
  cache_write_tokens INTEGER NOT NULL,
  cache_write_tokens_said INTEGER NOT NULL,
  output_tokens INTEGER NOT NULL,
  output_tokens_said INTEGER NOT NULL,
  reasoning_tokens INTEGER NOT NULL,
  reasoning_tokens_said INTEGER NOT NULL,
  generated_tokens INTEGER NOT NULL,
  generated_tokens_said INTEGER NOT NULL,
  generation_ms REAL NOT NULL,
  generation_ms_said INTEGER NOT NULL,
  PRIMARY KEY (day, provider, model, tag, key_fingerprint, cassette)
) STRICT, WITHOUT ROWID
""",
    """
CREATE TABLE daily_latencies ( -- histograms, one for each value of each dimension
  dimension TEXT NOT NULL,    -- provider, model, tag, key_fingerprint or cassette
  measure TEXT NOT NULL,
  day TEXT NOT NULL,
  name TEXT NOT NULL,         -- of the dimension; "" stands for null
  ms REAL NOT NULL,           -- the middle of the bucket; buckets grow by 5 %
  exchanges INTEGER NOT NULL,
  PRIMARY KEY (dimension, day, measure, name, ms)
) STRICT, WITHOUT ROWID
""",
    # what the overview filters, ranks and measures by, so that it reads no row; in the order
    # of time, so that a new entry goes to its end
    "DROP INDEX exchanges_started_at",
    """CREATE INDEX exchanges_overview ON exchanges (started_at, request_model, provider, tag,
    key_fingerprint, cassette, outcome, time_to_first_content_ms, duration_ms, cost_usd)""",
    # what the table is filtered by, with what its facets count
    "DROP INDEX exchanges_request_model",
    """CREATE INDEX exchanges_request_model
    ON exchanges (request_model, started_at, status, cassette, tag)""",
    "CREATE INDEX exchanges_tag ON exchanges (tag, started_at, status, cassette, request_model)",
    "CREATE INDEX exchanges_status ON exchanges (status)",
    "DROP INDEX exchanges_error",
    """CREATE INDEX exchanges_failed ON exchanges (started_at)
    WHERE error IS NOT NULL OR status >= 400""",
    "CREATE INDEX exchanges_stalled ON exchanges (started_at) WHERE stalls > 0",
)
