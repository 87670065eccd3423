-- Latency, distribution
-- Exchanges by time to first token and by duration, ten steps for each power of ten.
WITH counted AS (
  SELECT measure, replayproxy_decile(ms) AS low_ms, sum(exchanges) AS exchanges
  FROM latencies
  WHERE grain = iif(:latency_grain = '', 'exchanges', :latency_grain)
    AND started_at >= :since AND started_at < iif(:until = '', '9', :until)
    AND (:model = '' OR model = :model) AND (:provider = '' OR provider = :provider)
    AND (:tag = '' OR tag = :tag) AND (:key = '' OR key_fingerprint = :key)
    AND (:cassette = '' OR cassette = :cassette)
  GROUP BY measure, low_ms
)
SELECT
  measure,
  round(low_ms, 2) AS low_ms,
  round(low_ms * 1.2589254, 2) AS high_ms,
  exchanges,
  measure || '__gte=' || round(low_ms, 2)
    || '&' || measure || '__lt=' || round(low_ms * 1.2589254, 2)
    || '&started_at__gte=' || replayproxy_quote(:since)
    || iif(:until = '', '', '&started_at__lt=' || replayproxy_quote(:until))
    || :filters AS filter
FROM counted
ORDER BY measure, low_ms
