-- Totals
-- Exchanges, errors, cost and tokens of a range, and what replays avoided meanwhile.
SELECT
  coalesce(sum(exchanges), 0) AS exchanges,
  coalesce(sum(errors), 0) AS errors,
  coalesce(sum(stalled), 0) AS stalled,
  (SELECT count(*) FROM uncounted CROSS JOIN exchanges ON id = exchange_id
    WHERE outcome IS NULL) AS in_flight,
  sum(cost_usd) AS cost_usd,
  coalesce(sum(exchanges_without_cost), 0) AS exchanges_without_cost,
  sum(input_tokens) AS input_tokens,
  sum(cache_read_tokens) AS cache_read_tokens,
  sum(output_tokens) AS output_tokens,
  sum(generated_tokens) * 1000.0 / sum(generation_ms) AS output_tokens_per_second,
  (SELECT sum(avoided_cost_usd) FROM avoided
    WHERE replayed_at >= :since AND replayed_at < iif(:until = '', '9', :until)
      AND (:model = '' OR model = :model) AND (:provider = '' OR provider = :provider)
      AND (:tag = '' OR tag = :tag) AND (:key = '' OR key_fingerprint = :key)
      AND (:cassette = '' OR cassette = :cassette)
  ) AS avoided_cost_usd
FROM sums
WHERE grain = iif(:grain = '', 'exchanges', :grain)
  AND started_at >= :since AND started_at < iif(:until = '', '9', :until)
  AND (:model = '' OR model = :model) AND (:provider = '' OR provider = :provider)
  AND (:tag = '' OR tag = :tag) AND (:key = '' OR key_fingerprint = :key)
  AND (:cassette = '' OR cassette = :cassette)
