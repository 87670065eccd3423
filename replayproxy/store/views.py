"""The numbers people look at, as SQL views. Made anew whenever the schema changes.

Percentiles are nearest-rank: the smallest value that at least p % of the rows
do not exceed. Exchanges without the measured value don't count.
"""

from sqlite_utils import Database

from replayproxy.store import span_view

_PERCENTILES = (50, 95, 99)


def _latency_view(name: str, group: str) -> str:
    measures = ("time_to_first_chunk_ms", "time_to_first_content_ms", "duration_ms")
    ranked = " UNION ALL ".join(
        f"""SELECT {group}, '{measure}' AS measure, {measure} AS ms,
            row_number() OVER (PARTITION BY {group} ORDER BY {measure}) AS rank,
            count(*) OVER (PARTITION BY {group}) AS total
            FROM figures WHERE {measure} IS NOT NULL"""
        for measure in measures
    )
    columns = ", ".join(
        # the integer division rounds up: rank >= ceil(total * p / 100)
        f"min(ms) FILTER (WHERE rank >= (total * {p} + 99) / 100) AS p{p}_ms"
        for p in _PERCENTILES
    )
    return f"""CREATE VIEW {name} AS
WITH ranked AS ({ranked})
SELECT {group}, measure, count(*) AS exchanges, {columns}, max(ms) AS max_ms
FROM ranked GROUP BY {group}, measure"""


TOTAL_COLUMNS = """count(*) AS exchanges,
  sum(failed) AS errors,
  sum(cost_usd) AS cost_usd,
  sum(cost_usd IS NULL) AS exchanges_without_cost,
  sum(input_tokens) AS input_tokens,
  sum(cache_read_tokens) AS cache_read_tokens,
  sum(cache_write_tokens) AS cache_write_tokens,
  sum(output_tokens) AS output_tokens,
  sum(reasoning_tokens) AS reasoning_tokens,
  sum(generated_tokens) * 1000.0 / sum(generation_ms) AS output_tokens_per_second"""
"""What rows of `figures` come to, wherever they are added up."""

AVOIDED_COLUMNS = """count(*) AS replays,
  sum(avoided_cost_usd) AS avoided_cost_usd,
  sum(avoided_input_tokens) AS avoided_input_tokens,
  sum(avoided_output_tokens) AS avoided_output_tokens"""
"""The same for rows of `avoided`."""


def _totals_view(name: str, *groups: str) -> str:
    columns = ", ".join(groups)
    return f"""CREATE VIEW {name} AS
SELECT {columns}, {TOTAL_COLUMNS}
FROM figures GROUP BY {columns}"""


VIEWS = {
    "chunks": """CREATE VIEW chunks AS
SELECT responses.exchange_id AS exchange_id,
  chunk.key AS seq,
  chunk.value ->> 0 AS offset_ns,
  chunk.value ->> 1 AS length,
  round((chunk.value ->> 0) / 1e6, 3) AS offset_ms
FROM responses, json_each(replayproxy_chunks(responses.chunk_table)) AS chunk""",
    # every number of an exchange that is counted anywhere, and what counts as what
    "figures": """CREATE VIEW figures AS
SELECT id, started_at, substr(started_at, 1, 10) AS day,
  cassette, provider, request_model AS model, tag, key_fingerprint,
  coalesce(error IS NOT NULL OR status >= 400, 0) AS failed,
  outcome IS NULL AS in_flight,
  cost_usd, cost_source, reported_cost_usd, computed_cost_usd,
  input_tokens, cache_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens,
  iif(outcome IS NULL, NULL, time_to_first_chunk_ms) AS time_to_first_chunk_ms,
  iif(outcome IS NULL, NULL, time_to_first_content_ms) AS time_to_first_content_ms,
  iif(outcome IS NULL, NULL, duration_ms) AS duration_ms,
  iif(duration_ms > time_to_first_content_ms, output_tokens, NULL) AS generated_tokens,
  iif(duration_ms > time_to_first_content_ms AND output_tokens IS NOT NULL,
    duration_ms - time_to_first_content_ms, NULL) AS generation_ms
FROM exchanges""",
    # what replays did not spend: theirs is no cost of any exchange
    "avoided": """CREATE VIEW avoided AS
SELECT replays.id, replayed_at, substr(replayed_at, 1, 10) AS day,
  replays.cassette, provider, coalesce(replays.request_model, exchanges.request_model) AS model,
  tag, key_fingerprint, exchange_id, avoided_cost_usd, avoided_input_tokens, avoided_output_tokens
FROM replays LEFT JOIN exchanges ON exchanges.id = exchange_id
WHERE result = 'hit'""",
    "avoided_by_day": f"""CREATE VIEW avoided_by_day AS
SELECT day, {AVOIDED_COLUMNS} FROM avoided GROUP BY day""",
    "cost_by_day": _totals_view("cost_by_day", "day"),
    "cost_by_day_and_model": _totals_view("cost_by_day_and_model", "day", "model"),
    "cost_by_model": _totals_view("cost_by_model", "model"),
    "cost_by_provider": _totals_view("cost_by_provider", "provider"),
    "cost_by_cassette": _totals_view("cost_by_cassette", "cassette"),
    "cost_by_key": _totals_view("cost_by_key", "key_fingerprint"),
    "cost_by_tag": _totals_view("cost_by_tag", "tag"),
    "misses": """CREATE VIEW misses AS
SELECT id, replayed_at, cassette, session, method, host, path, request_model, closest_id, message
FROM replays WHERE result = 'miss'""",
    "latency_by_model": _latency_view("latency_by_model", "model"),
    "latency_by_day": _latency_view("latency_by_day", "day"),
    **span_view.VIEWS,
}


def recreate(db: Database) -> None:
    """Drop and create every view, in one transaction."""
    with db.atomic():
        for name, sql in VIEWS.items():
            db.execute(f"DROP VIEW IF EXISTS {name}")
            db.execute(sql)
