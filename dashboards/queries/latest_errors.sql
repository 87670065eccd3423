-- Latest errors
-- Exchanges whose provider, transport or status says that something went wrong.
SELECT id, started_at, request_model, status, outcome, error
FROM exchanges
WHERE started_at >= :since AND (:model = '' OR request_model = :model)
  AND (error IS NOT NULL OR status >= 400)
ORDER BY id DESC
LIMIT 8
