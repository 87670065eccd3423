"""Reading one exchange: its rows, its bodies, its chunks."""

import sqlite3
from datetime import datetime

from replayproxy.model import Chunk, Exchange
from replayproxy.store import bodies, journal, packing, rows
from replayproxy.store.compression import decompress
from replayproxy.store.sql import as_dict

_SELECT = """
SELECT exchanges.*, requests.scheme, requests.port, requests.query,
  requests.http_version AS request_http_version, requests.headers AS request_headers,
  requests.body_id AS request_body_id,
  responses.reason, responses.http_version AS response_http_version,
  responses.headers AS response_headers, responses.headers_offset_ns,
  responses.end_offset_ns, responses.ending
FROM exchanges
JOIN requests ON requests.exchange_id = exchanges.id
LEFT JOIN responses ON responses.exchange_id = exchanges.id
"""


def read_exchange(connection: sqlite3.Connection, exchange_id: int) -> Exchange | None:
    """An exchange with its request body, or None."""
    cursor = connection.execute(f"{_SELECT} WHERE exchanges.id = ?", [exchange_id])
    found = cursor.fetchone()
    if found is None:
        return None
    row = as_dict(cursor, found)
    return rows.exchange_from_row(row, body=bodies.get(connection, row["request_body_id"]))


def ended_exchanges(
    connection: sqlite3.Connection,
    *,
    after: int,
    limit: int,
    since: datetime | None = None,
    cassette: str | None = None,
) -> list[Exchange]:
    """Those that have ended, by their ids from the one after `after` on; without bodies."""
    cursor = connection.execute(
        f"""{_SELECT} WHERE exchanges.id > :after AND outcome IS NOT NULL
          AND started_at >= :since AND (:cassette IS NULL OR cassette = :cassette)
        ORDER BY exchanges.id LIMIT :limit""",
        {
            "after": after,
            "limit": limit,
            "since": rows.to_timestamp(since) if since else "",
            "cassette": cassette,
        },
    )
    return [rows.exchange_from_row(as_dict(cursor, row), body=b"") for row in cursor.fetchall()]


def read_chunks(connection: sqlite3.Connection, exchange_id: int) -> tuple[Chunk, ...]:
    """The chunks of an exchange: from its body, or from the journal while it is in flight."""
    found = connection.execute(
        "SELECT body_id, chunk_table FROM responses WHERE exchange_id = ?", [exchange_id]
    ).fetchone()
    if found is None:
        return ()
    body_id, table = found
    if table is not None:
        return packing.cut(bodies.get(connection, body_id), table)
    pieces, table = journal.read(connection, exchange_id)
    return packing.cut(decompress(pieces), table) if pieces else ()
