"""What is new: asked every two seconds by a page that is open, and answered in a moment.

stamp    a text that changes whenever the page would look different
newest   the id of the newest exchange
running  whether what the page shows is still going on
"""

from collections.abc import Mapping

OF_ALL = """
SELECT (SELECT coalesce(max(id), 0) FROM exchanges) AS newest,
  (SELECT count(*) FROM exchanges WHERE outcome IS NULL) AS running,
  (SELECT coalesce(max(id), 0) FROM replays) AS replays"""

OF_EXCHANGE = """
SELECT (SELECT coalesce(max(id), 0) FROM exchanges) AS newest,
  outcome IS NULL AS running, outcome,
  (SELECT ending IS NULL FROM responses WHERE exchange_id = exchanges.id) AS has_head,
  (SELECT count(*) FROM journal WHERE exchange_id = exchanges.id) AS pieces,
  (SELECT total(length(chunk_table)) FROM journal WHERE exchange_id = exchanges.id) AS chunks
FROM exchanges WHERE id = :id"""


def as_json(row: Mapping[str, object]) -> dict[str, object]:
    """The answer that a row of one of these queries makes."""
    stamp = ":".join(f"{value}" for name, value in row.items())
    return {"stamp": stamp, "newest": row["newest"], "running": bool(row["running"])}
