-- Stalls
-- Exchanges whose stream stood still: for 250 ms and ten times its usual gap at least.
SELECT id, started_at, request_model, longest_gap_ms, stalls, duration_ms
FROM exchanges
WHERE started_at >= :since AND started_at < iif(:until = '', '9', :until)
  AND (:model = '' OR request_model = :model) AND (:provider = '' OR provider = :provider)
  AND (:tag = '' OR tag = :tag) AND (:key = '' OR key_fingerprint = :key)
  AND (:cassette = '' OR cassette = :cassette)
  AND stalls > 0
ORDER BY started_at DESC
LIMIT 8
