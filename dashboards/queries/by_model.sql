-- By model
-- Cost, tokens, errors and latency of each model, the dearest first.
WITH per_model AS (
  SELECT
    model AS request_model,
    count(*) AS exchanges,
    sum(cost_usd) AS cost_usd,
    sum(failed) AS errors,
    sum(input_tokens) AS input_tokens,
    sum(cache_read_tokens) AS cache_read_tokens,
    sum(output_tokens) AS output_tokens,
    sum(generated_tokens) * 1000.0 / sum(generation_ms) AS output_tokens_per_second,
    replayproxy_percentiles(time_to_first_content_ms) AS first_content,
    replayproxy_percentiles(duration_ms) AS duration
  FROM figures
  WHERE started_at >= :since AND (:model = '' OR model = :model)
  GROUP BY model
)
SELECT
  coalesce(request_model, 'no model') AS model,
  exchanges,
  cost_usd,
  errors,
  input_tokens,
  cache_read_tokens,
  output_tokens,
  output_tokens_per_second,
  first_content ->> 0 AS ttft_p50_ms,
  first_content ->> 1 AS ttft_p95_ms,
  first_content ->> 2 AS ttft_p99_ms,
  duration ->> 0 AS duration_p50_ms,
  duration ->> 1 AS duration_p95_ms,
  CASE
    WHEN request_model IS NULL THEN 'request_model__isnull=1'
    ELSE 'request_model__exact=' || replayproxy_quote(request_model)
  END || '&started_at__gte=' || replayproxy_quote(:since) AS filter
FROM per_model
ORDER BY coalesce(cost_usd, 0) DESC, exchanges DESC, model
LIMIT 50
