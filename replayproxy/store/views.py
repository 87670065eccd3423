"""The numbers people look at, as SQL views. Made anew whenever the schema changes.

Percentiles are nearest-rank: the smallest value that at least p % of the rows
do not exceed. Exchanges without the measured value don't count.
"""

from sqlite_utils import Database

from replayproxy.store import rollups, span_view

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


_DIMENSIONS = ", ".join(rollups.DIMENSIONS)
_ADDED_UP = [name for name, _ in rollups.sum_columns() if not name.endswith("_said")]


_ONE_BY_ONE = ", ".join(
    f"{value} AS {name}"
    for name, value in (
        ("exchanges", "1"),
        ("errors", "failed"),
        ("exchanges_without_cost", "cost_usd IS NULL"),
        ("stalled", "coalesce(stalls > 0, 0)"),
        *((name, name) for name in _ADDED_UP[4:]),
    )
)
_BY_DAY = ", ".join(
    name if number < 4 else f"iif({name}_said, {name}, NULL) AS {name}"
    for number, name in enumerate(_ADDED_UP)
)
_NAMED = ", ".join(f"nullif({name}, '') AS {name}" for name in rollups.DIMENSIONS)
_NOT_COUNTED = "id IN (SELECT exchange_id FROM uncounted)"


def _daily_latencies(dimension: str) -> str:
    names = ", ".join(
        f"nullif(name, '') AS {other}" if other == dimension else f"NULL AS {other}"
        for other in rollups.DIMENSIONS
    )
    return f"""SELECT 'days by {dimension}' AS grain, day AS started_at, {names},
  measure, ms, exchanges FROM daily_latencies WHERE dimension = '{dimension}'"""


def _latencies(grain: str, where: str, dimensions: str = _DIMENSIONS) -> str:
    return " UNION ALL ".join(
        f"""SELECT '{grain}' AS grain, started_at, {dimensions},
  '{measure}' AS measure, {measure} AS ms, 1 AS exchanges
FROM figures WHERE {where} AND {measure} IS NOT NULL"""
        for measure in rollups.MEASURES
    )


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
    duration_ms - time_to_first_content_ms, NULL) AS generation_ms,
  longest_gap_ms, stalls
FROM exchanges""",
    # The same, added up or not. `grain` says how, and must be asked for: 'exchanges' is one row
    # each; 'days' is one row a day and combination, and gives the same sums; 'replays' is one
    # row for each request of a replay, with what it avoided as its cost and tokens.
    "sums": f"""CREATE VIEW sums AS
SELECT 'exchanges' AS grain, started_at, {_DIMENSIONS}, {_ONE_BY_ONE} FROM figures
UNION ALL SELECT 'days', day AS started_at, {_NAMED}, {_BY_DAY} FROM daily_figures
UNION ALL SELECT 'days', started_at, {_DIMENSIONS}, {_ONE_BY_ONE} FROM figures WHERE {_NOT_COUNTED}
UNION ALL SELECT 'replays', replayed_at, exchanges.provider,
  coalesce(replays.request_model, exchanges.request_model), tag, key_fingerprint, replays.cassette,
  1, result IN ('miss', 'error'), avoided_cost_usd IS NULL, NULL, avoided_cost_usd,
  avoided_input_tokens, NULL, NULL, avoided_output_tokens, NULL, NULL, NULL
FROM replays LEFT JOIN exchanges ON exchanges.id = exchange_id""",
    # Times, each with how many exchanges took it. `grain` as above; by day only for one of the
    # dimensions: 'days by model' knows no tag.
    "latencies": "CREATE VIEW latencies AS "
    + " UNION ALL ".join(
        (
            _latencies("exchanges", "true"),
            *(
                f"{_daily_latencies(name)} UNION ALL {_latencies(f'days by {name}', _NOT_COUNTED)}"
                for name in rollups.DIMENSIONS
            ),
        )
    ),
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
