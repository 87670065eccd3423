-- Replays
-- Requests of replays: hits, those of them that only rules made fit, and what was not answered.
SELECT
  coalesce(sum(result = 'hit'), 0) AS hits,
  coalesce(sum(result = 'hit' AND normalized IS NOT NULL), 0) AS by_rules,
  coalesce(sum(result = 'miss'), 0) AS misses,
  coalesce(sum(result = 'error'), 0) AS errors,
  count(*) AS requests
FROM replays
WHERE replayed_at >= :since AND replayed_at < iif(:until = '', '9', :until)
  AND (:model = '' OR request_model = :model) AND (:cassette = '' OR cassette = :cassette)
