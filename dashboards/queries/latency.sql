-- Latency
-- Time to first token and duration: nearest-rank percentiles of what was measured.
SELECT
  measure,
  sum(exchanges) AS exchanges,
  percentiles ->> 0 AS p50_ms,
  percentiles ->> 1 AS p95_ms,
  percentiles ->> 2 AS p99_ms
FROM (
  SELECT measure, sum(exchanges) AS exchanges, replayproxy_percentiles(ms, exchanges) AS percentiles
  FROM latencies
  WHERE grain = iif(:latency_grain = '', 'exchanges', :latency_grain)
    AND started_at >= :since AND started_at < iif(:until = '', '9', :until)
    AND (:model = '' OR model = :model) AND (:provider = '' OR provider = :provider)
    AND (:tag = '' OR tag = :tag) AND (:key = '' OR key_fingerprint = :key)
    AND (:cassette = '' OR cassette = :cassette)
  GROUP BY measure
)
GROUP BY measure
