-- Time to first token, percentiles
-- Nearest-rank percentiles since a moment.
SELECT 'p' || column1 AS percentile, measured ->> column2 AS ms
FROM
  (VALUES (50, 0), (95, 1), (99, 2)),
  (
    SELECT replayproxy_percentiles(time_to_first_content_ms) AS measured
    FROM figures
    WHERE started_at >= :since AND (:model = '' OR model = :model)
      AND time_to_first_content_ms IS NOT NULL
  )
WHERE measured IS NOT NULL
