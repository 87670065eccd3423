-- What one can filter by
-- The models, providers, tags, keys and cassettes of a range, the busiest first.
WITH found AS (
  SELECT model, provider, tag, key_fingerprint, cassette, sum(exchanges) AS exchanges
  FROM sums
  WHERE grain = 'days' AND started_at >= substr(:since, 1, 10)
  GROUP BY 1, 2, 3, 4, 5
)
SELECT filter, name, sum(exchanges) AS exchanges
FROM (
  SELECT 'model' AS filter, model AS name, exchanges FROM found
  UNION ALL SELECT 'provider', provider, exchanges FROM found
  UNION ALL SELECT 'tag', tag, exchanges FROM found
  UNION ALL SELECT 'key', key_fingerprint, exchanges FROM found
  UNION ALL SELECT 'cassette', cassette, exchanges FROM found
)
WHERE name IS NOT NULL
GROUP BY filter, name
ORDER BY filter, exchanges DESC, name
LIMIT 1000
