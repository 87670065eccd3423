-- By model
-- Cost, tokens, errors and latency of each model, the dearest first.
WITH summed AS (
  SELECT
    model AS name,
    sum(exchanges) AS exchanges,
    sum(cost_usd) AS cost_usd,
    sum(errors) AS errors,
    sum(input_tokens) AS input_tokens,
    sum(cache_read_tokens) AS cache_read_tokens,
    sum(output_tokens) AS output_tokens,
    sum(generated_tokens) * 1000.0 / sum(generation_ms) AS output_tokens_per_second
  FROM sums
  WHERE grain = iif(:grain = '', 'exchanges', :grain)
    AND started_at >= :since AND started_at < iif(:until = '', '9', :until)
    AND (:model = '' OR model = :model) AND (:provider = '' OR provider = :provider)
    AND (:tag = '' OR tag = :tag) AND (:key = '' OR key_fingerprint = :key)
    AND (:cassette = '' OR cassette = :cassette)
  GROUP BY model
),
counted AS (
  SELECT model AS name, measure, ms, sum(exchanges) AS exchanges
  FROM latencies
  WHERE grain = iif(:latency_grain = '', 'exchanges', :latency_grain)
    AND started_at >= :since AND started_at < iif(:until = '', '9', :until)
    AND (:model = '' OR model = :model) AND (:provider = '' OR provider = :provider)
    AND (:tag = '' OR tag = :tag) AND (:key = '' OR key_fingerprint = :key)
    AND (:cassette = '' OR cassette = :cassette)
  GROUP BY model, measure, ms
),
measured AS (
  SELECT name, measure, replayproxy_percentiles(ms, exchanges) AS percentiles
  FROM counted
  GROUP BY name, measure
)
SELECT
  coalesce(summed.name, 'no model') AS model,
  exchanges,
  cost_usd,
  errors,
  input_tokens,
  cache_read_tokens,
  output_tokens,
  output_tokens_per_second,
  ttft.percentiles ->> 0 AS ttft_p50_ms,
  ttft.percentiles ->> 1 AS ttft_p95_ms,
  ttft.percentiles ->> 2 AS ttft_p99_ms,
  duration.percentiles ->> 0 AS duration_p50_ms,
  duration.percentiles ->> 1 AS duration_p95_ms,
  'started_at__gte=' || replayproxy_quote(:since)
    || iif(:until = '', '', '&started_at__lt=' || replayproxy_quote(:until))
    || CASE
      WHEN :model <> '' THEN ''
      WHEN summed.name IS NULL THEN '&request_model__isnull=1'
      ELSE '&request_model__exact=' || replayproxy_quote(summed.name)
    END || :filters AS filter
FROM summed
LEFT JOIN measured AS ttft
  ON ttft.name IS summed.name AND ttft.measure = 'time_to_first_content_ms'
LEFT JOIN measured AS duration
  ON duration.name IS summed.name AND duration.measure = 'duration_ms'
ORDER BY coalesce(cost_usd, 0) DESC, exchanges DESC, summed.name
LIMIT 50
