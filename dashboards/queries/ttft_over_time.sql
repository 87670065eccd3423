-- Time to first token over time
-- From the end of the request to the first chunk with generated content; nearest-rank percentiles
-- for each minute, hour, day or month.
WITH measured AS (
  SELECT
    substr(started_at, 1,
      CASE :bucket WHEN 'minute' THEN 16 WHEN 'hour' THEN 13 WHEN 'month' THEN 7 ELSE 10 END
    ) AS start,
    count(*) AS exchanges,
    replayproxy_percentiles(time_to_first_content_ms) AS percentiles
  FROM figures
  WHERE started_at >= :since AND (:model = '' OR model = :model)
    AND time_to_first_content_ms IS NOT NULL
  GROUP BY start
)
SELECT
  start || CASE :bucket
    WHEN 'minute' THEN ':00Z' WHEN 'hour' THEN ':00:00Z' WHEN 'month' THEN '-01T00:00:00Z'
    ELSE 'T00:00:00Z' END AS time,
  'p' || column1 AS percentile,
  percentiles ->> column2 AS ms,
  exchanges,
  'started_at__startswith=' || replayproxy_quote(start)
    || iif(:model = '', '', '&request_model__exact=' || replayproxy_quote(:model))
    || '&_sort_desc=time_to_first_content_ms' AS filter
FROM measured, (VALUES (50, 0), (95, 1), (99, 2))
ORDER BY start, column1
