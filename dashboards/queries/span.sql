-- First and last exchange
SELECT min(started_at) AS first, max(started_at) AS last, max(id) AS newest FROM exchanges
