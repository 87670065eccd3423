-- Totals
-- Exchanges, errors, cost and tokens since a moment.
SELECT
  count(*) AS exchanges,
  coalesce(sum(error IS NOT NULL OR status >= 400), 0) AS errors,
  coalesce(sum(outcome IS NULL), 0) AS in_flight,
  sum(cost_usd) AS cost_usd,
  coalesce(sum(cost_usd IS NULL), 0) AS exchanges_without_cost,
  sum(input_tokens) AS input_tokens,
  sum(cache_read_tokens) AS cache_read_tokens,
  sum(output_tokens) AS output_tokens,
  sum(output_tokens) FILTER (WHERE duration_ms > time_to_first_content_ms) * 1000.0
    / sum(duration_ms - time_to_first_content_ms) FILTER (WHERE output_tokens IS NOT NULL)
    AS output_tokens_per_second
FROM exchanges
WHERE started_at >= :since AND (:model = '' OR request_model = :model)
