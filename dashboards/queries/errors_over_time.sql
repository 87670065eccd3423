-- Errors over time
-- Which part of the exchanges failed in each minute, hour, day or month.
SELECT
  replayproxy_moment(start) AS time,
  exchanges,
  errors,
  1.0 * errors / exchanges AS error_rate,
  replayproxy_during(start) || :filters AS filter
FROM (
  SELECT
    substr(started_at, 1,
      CASE :bucket WHEN 'minute' THEN 16 WHEN 'hour' THEN 13 WHEN 'month' THEN 7 ELSE 10 END) AS start,
    sum(exchanges) AS exchanges,
    sum(errors) AS errors
  FROM sums
  WHERE grain = iif(:grain = '', 'exchanges', :grain)
    AND started_at >= :since AND started_at < iif(:until = '', '9', :until)
    AND (:model = '' OR model = :model) AND (:provider = '' OR provider = :provider)
    AND (:tag = '' OR tag = :tag) AND (:key = '' OR key_fingerprint = :key)
    AND (:cassette = '' OR cassette = :cassette)
  GROUP BY start
)
ORDER BY start
