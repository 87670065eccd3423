-- Time to first token, distribution
-- Exchanges by time to first token, ten steps for each power of ten.
WITH RECURSIVE per_ms AS (
  SELECT max(CAST(time_to_first_content_ms AS INTEGER), 1) AS ms, count(*) AS exchanges
  FROM figures
  WHERE started_at >= :since AND (:model = '' OR model = :model)
    AND time_to_first_content_ms IS NOT NULL
  GROUP BY 1
),
edges (low_ms, high_ms) AS (
  SELECT 1.0, 1.2589254
  UNION ALL
  SELECT high_ms, high_ms * 1.2589254 FROM edges WHERE high_ms < 3600000
)
SELECT
  round(low_ms, 1) AS low_ms,
  round(high_ms, 1) AS high_ms,
  sum(exchanges) AS exchanges,
  'time_to_first_content_ms__gte=' || round(low_ms, 1)
    || '&time_to_first_content_ms__lt=' || round(high_ms, 1)
    || '&started_at__gte=' || replayproxy_quote(:since)
    || iif(:model = '', '', '&request_model__exact=' || replayproxy_quote(:model)) AS filter
FROM edges
JOIN per_ms ON ms >= low_ms AND ms < high_ms
GROUP BY low_ms
ORDER BY low_ms
