-- Latency
-- Time to first token and duration since a moment: nearest-rank percentiles of what was measured.
WITH measured AS (
  SELECT
    count(time_to_first_content_ms) AS first_contents,
    replayproxy_percentiles(time_to_first_content_ms) AS first_content,
    count(duration_ms) AS durations,
    replayproxy_percentiles(duration_ms) AS duration
  FROM figures
  WHERE started_at >= :since AND (:model = '' OR model = :model)
)
SELECT
  'time_to_first_content' AS measure,
  first_contents AS exchanges,
  first_content ->> 0 AS p50_ms,
  first_content ->> 1 AS p95_ms,
  first_content ->> 2 AS p99_ms
FROM measured WHERE first_contents > 0
UNION ALL
SELECT 'duration', durations, duration ->> 0, duration ->> 1, duration ->> 2
FROM measured WHERE durations > 0
