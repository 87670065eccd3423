-- Models asked for
-- Those that one can choose from in this range, the busiest first.
SELECT request_model AS model, count(*) AS exchanges
FROM exchanges
WHERE started_at >= :since AND request_model IS NOT NULL
GROUP BY request_model
ORDER BY exchanges DESC, model
LIMIT 200
