-- First and last exchange
SELECT
  (SELECT min(started_at) FROM exchanges) AS first,
  (SELECT max(started_at) FROM exchanges) AS last,
  (SELECT max(id) FROM exchanges) AS newest
