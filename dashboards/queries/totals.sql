-- Totals
-- Exchanges, errors, cost and tokens since a moment, and what replays avoided.
SELECT
  count(*) AS exchanges,
  coalesce(sum(failed), 0) AS errors,
  coalesce(sum(in_flight), 0) AS in_flight,
  sum(cost_usd) AS cost_usd,
  coalesce(sum(cost_usd IS NULL), 0) AS exchanges_without_cost,
  sum(input_tokens) AS input_tokens,
  sum(cache_read_tokens) AS cache_read_tokens,
  sum(output_tokens) AS output_tokens,
  sum(generated_tokens) * 1000.0 / sum(generation_ms) AS output_tokens_per_second,
  (SELECT sum(avoided_cost_usd) FROM avoided
    WHERE replayed_at >= :since AND (:model = '' OR model = :model)) AS avoided_cost_usd
FROM figures
WHERE started_at >= :since AND (:model = '' OR model = :model)
