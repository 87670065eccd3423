-- Slowest exchanges
SELECT id, started_at, request_model, duration_ms, time_to_first_content_ms, output_tokens, cost_usd
FROM exchanges
WHERE started_at >= :since AND (:model = '' OR request_model = :model)
  AND duration_ms IS NOT NULL AND outcome IS NOT NULL
ORDER BY duration_ms DESC
LIMIT 8
