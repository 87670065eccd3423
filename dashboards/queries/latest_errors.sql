-- Latest errors
-- Exchanges whose provider, transport or status says that something went wrong.
SELECT id, started_at, request_model, status, outcome, error
FROM exchanges
WHERE started_at >= :since AND started_at < iif(:until = '', '9', :until)
  AND (:model = '' OR request_model = :model) AND (:provider = '' OR provider = :provider)
  AND (:tag = '' OR tag = :tag) AND (:key = '' OR key_fingerprint = :key)
  AND (:cassette = '' OR cassette = :cassette)
  AND (error IS NOT NULL OR status >= 400)
ORDER BY started_at DESC
LIMIT 8
