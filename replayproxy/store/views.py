"""The numbers people look at, as SQL views. Made anew whenever the schema changes.

Percentiles are nearest-rank: the smallest value that at least p % of the rows
do not exceed. Exchanges without the measured value don't count.
"""

from sqlite_utils import Database

_PERCENTILES = (50, 95, 99)


def _latency_view(name: str, group: str, expression: str) -> str:
    measures = ("time_to_first_chunk_ms", "time_to_first_content_ms", "duration_ms")
    ranked = " UNION ALL ".join(
        f"""SELECT {expression} AS {group}, '{measure}' AS measure, {measure} AS ms,
            row_number() OVER (PARTITION BY {expression} ORDER BY {measure}) AS rank,
            count(*) OVER (PARTITION BY {expression}) AS total
            FROM exchanges WHERE {measure} IS NOT NULL AND outcome IS NOT NULL"""
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


_COST_COLUMNS = """count(*) AS exchanges,
  sum(coalesce(error IS NOT NULL OR status >= 400, 0)) AS errors,
  sum(cost_usd) AS cost_usd,
  sum(cost_usd IS NULL) AS exchanges_without_cost,
  sum(input_tokens) AS input_tokens,
  sum(cache_read_tokens) AS cache_read_tokens,
  sum(output_tokens) AS output_tokens,
  sum(reasoning_tokens) AS reasoning_tokens"""

VIEWS = {
    "chunks": """CREATE VIEW chunks AS
SELECT responses.exchange_id AS exchange_id,
  chunk.key AS seq,
  chunk.value ->> 0 AS offset_ns,
  chunk.value ->> 1 AS length,
  round((chunk.value ->> 0) / 1e6, 3) AS offset_ms
FROM responses, json_each(replayproxy_chunks(responses.chunk_table)) AS chunk""",
    "cost_by_day": f"""CREATE VIEW cost_by_day AS
SELECT substr(started_at, 1, 10) AS day, {_COST_COLUMNS}
FROM exchanges GROUP BY day""",
    "cost_by_day_and_model": f"""CREATE VIEW cost_by_day_and_model AS
SELECT substr(started_at, 1, 10) AS day, request_model AS model, {_COST_COLUMNS}
FROM exchanges GROUP BY day, request_model""",
    "cost_by_model": f"""CREATE VIEW cost_by_model AS
SELECT request_model AS model, {_COST_COLUMNS}
FROM exchanges GROUP BY request_model""",
    "cost_by_key": f"""CREATE VIEW cost_by_key AS
SELECT key_fingerprint, {_COST_COLUMNS}
FROM exchanges GROUP BY key_fingerprint""",
    "cost_by_tag": f"""CREATE VIEW cost_by_tag AS
SELECT tag, {_COST_COLUMNS}
FROM exchanges GROUP BY tag""",
    "misses": """CREATE VIEW misses AS
SELECT id, replayed_at, cassette, session, method, host, path, request_model, closest_id, message
FROM replays WHERE result = 'miss'""",
    "latency_by_model": _latency_view("latency_by_model", "model", "request_model"),
    "latency_by_day": _latency_view("latency_by_day", "day", "substr(started_at, 1, 10)"),
}


def recreate(db: Database) -> None:
    """Drop and create every view, in one transaction."""
    with db.atomic():
        for name, sql in VIEWS.items():
            db.execute(f"DROP VIEW IF EXISTS {name}")
            db.execute(sql)
