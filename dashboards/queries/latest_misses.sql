-- Latest misses
-- What replays were asked for and did not answer, and what the client was told.
SELECT id, replayed_at, cassette, session, result, method, host, path, request_model, closest_id,
  message
FROM replays
WHERE replayed_at >= :since AND replayed_at < iif(:until = '', '9', :until)
  AND (:model = '' OR request_model = :model) AND (:cassette = '' OR cassette = :cassette)
  AND result IN ('miss', 'error')
ORDER BY id DESC
LIMIT 8
