-- Dearest exchanges
-- By the cost that is known.
WITH found AS (
  SELECT id
  FROM exchanges
  WHERE started_at >= :since AND started_at < iif(:until = '', '9', :until)
    AND (:model = '' OR request_model = :model) AND (:provider = '' OR provider = :provider)
    AND (:tag = '' OR tag = :tag) AND (:key = '' OR key_fingerprint = :key)
    AND (:cassette = '' OR cassette = :cassette)
    AND cost_usd > 0 AND outcome IS NOT NULL
  ORDER BY cost_usd DESC
  LIMIT 8
)
SELECT id, started_at, request_model, duration_ms, time_to_first_content_ms, output_tokens,
  cost_usd, longest_gap_ms, stalls
FROM found JOIN exchanges USING (id)
ORDER BY cost_usd DESC
