-- Latency over time
-- Time to first token (from the end of the request to the first generated content) and duration:
-- nearest-rank percentiles for each minute, hour, day or month.
WITH counted AS (
  SELECT
    substr(started_at, 1,
      CASE :bucket WHEN 'minute' THEN 16 WHEN 'hour' THEN 13 WHEN 'month' THEN 7 ELSE 10 END) AS start,
    measure,
    ms,
    sum(exchanges) AS exchanges
  FROM latencies
  WHERE grain = iif(:latency_grain = '', 'exchanges', :latency_grain)
    AND started_at >= :since AND started_at < iif(:until = '', '9', :until)
    AND (:model = '' OR model = :model) AND (:provider = '' OR provider = :provider)
    AND (:tag = '' OR tag = :tag) AND (:key = '' OR key_fingerprint = :key)
    AND (:cassette = '' OR cassette = :cassette)
  GROUP BY start, measure, ms
),
measured AS (
  SELECT start, measure, sum(exchanges) AS exchanges,
    replayproxy_percentiles(ms, exchanges) AS percentiles
  FROM counted
  GROUP BY start, measure
)
SELECT
  replayproxy_moment(start) AS time,
  measure,
  'p' || column1 AS percentile,
  percentiles ->> column2 AS ms,
  exchanges,
  replayproxy_during(start) || :filters || '&_sort_desc=' || measure AS filter
FROM measured, (VALUES (50, 0), (95, 1), (99, 2))
ORDER BY start, measure, column1
