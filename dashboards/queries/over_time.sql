-- Cost and exchanges over time
-- By model (the seven dearest, and the others together) for each minute, hour, day or month.
WITH per_model AS (
  SELECT
    substr(started_at, 1,
      CASE :bucket WHEN 'minute' THEN 16 WHEN 'hour' THEN 13 WHEN 'month' THEN 7 ELSE 10 END
    ) AS start,
    coalesce(figures.model, 'no model') AS model,
    figures.model IS NULL AS no_model,
    count(*) AS exchanges,
    sum(failed) AS errors,
    sum(cost_usd) AS cost_usd
  FROM figures
  WHERE started_at >= :since AND (:model = '' OR figures.model = :model)
  GROUP BY start, figures.model
),
dearest AS (
  SELECT model
  FROM per_model
  GROUP BY model
  ORDER BY coalesce(sum(cost_usd), 0) DESC, sum(exchanges) DESC, model
  LIMIT 7
)
SELECT
  start || CASE :bucket
    WHEN 'minute' THEN ':00Z' WHEN 'hour' THEN ':00:00Z' WHEN 'month' THEN '-01T00:00:00Z'
    ELSE 'T00:00:00Z' END AS time,
  iif(model IN dearest, model, 'other models') AS series,
  sum(exchanges) AS exchanges,
  sum(errors) AS errors,
  sum(cost_usd) AS cost_usd,
  'started_at__startswith=' || replayproxy_quote(start)
    || CASE
      WHEN model NOT IN dearest THEN ''
      WHEN max(no_model) THEN '&request_model__isnull=1'
      ELSE '&request_model__exact=' || replayproxy_quote(model)
    END AS filter
FROM per_model
GROUP BY start, series
ORDER BY start, series
