-- Cost and exchanges over time
-- By model (the seven dearest, and the others together) for each minute, hour, day or month.
WITH per_model AS (
  SELECT
    substr(started_at, 1,
      CASE :bucket WHEN 'minute' THEN 16 WHEN 'hour' THEN 13 WHEN 'month' THEN 7 ELSE 10 END) AS start,
    coalesce(sums.model, 'no model') AS model,
    sums.model IS NULL AS no_model,
    sum(exchanges) AS exchanges,
    sum(errors) AS errors,
    sum(cost_usd) AS cost_usd
  FROM sums
  WHERE grain = iif(:grain = '', 'exchanges', :grain)
    AND started_at >= :since AND started_at < iif(:until = '', '9', :until)
    AND (:model = '' OR sums.model = :model) AND (:provider = '' OR provider = :provider)
    AND (:tag = '' OR tag = :tag) AND (:key = '' OR key_fingerprint = :key)
    AND (:cassette = '' OR cassette = :cassette)
  GROUP BY start, sums.model
),
dearest AS (
  SELECT model
  FROM per_model
  GROUP BY model
  ORDER BY coalesce(sum(cost_usd), 0) DESC, sum(exchanges) DESC, model
  LIMIT 7
)
SELECT
  replayproxy_moment(start) AS time,
  iif(model IN dearest, model, 'other models') AS series,
  sum(exchanges) AS exchanges,
  sum(errors) AS errors,
  sum(cost_usd) AS cost_usd,
  replayproxy_during(start)
    || CASE
      WHEN model NOT IN dearest OR :model <> '' THEN ''
      WHEN max(no_model) THEN '&request_model__isnull=1'
      ELSE '&request_model__exact=' || replayproxy_quote(model)
    END || :filters AS filter
FROM per_model
GROUP BY start, series
ORDER BY start, series
