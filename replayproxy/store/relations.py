"""What else a database knows of an exchange: its spans, its replays, and those like it."""

import sqlite3
from dataclasses import dataclass
from typing import Any

from replayproxy.matching import EXACT_PREFIX
from replayproxy.store.sql import as_dict

_SPAN = "SELECT NULL AS replay_id, 0 AS replayed, * FROM spans WHERE exchange_id = :id"
_REPLAY_SPANS = """SELECT 1 AS replayed, * FROM replay_spans WHERE exchange_id = :id
ORDER BY replay_id DESC LIMIT :limit"""
_IN_TRACE = "{0}.traceparent BETWEEN '00-' || :trace_id || '-' AND '00-' || :trace_id || '.'"
_OF_SPAN = "exchange_id, name, spans.started_at AS started_at, spans.duration_ms AS duration_ms"
_TRACE = f"""SELECT {_OF_SPAN}, 0 AS replayed, spans.status AS status, request_model
FROM exchanges JOIN spans ON exchange_id = exchanges.id
WHERE {_IN_TRACE.format("exchanges")}
UNION ALL
SELECT {_OF_SPAN.replace("exchange_id", "spans.exchange_id")}, 1, spans.status, request_model
FROM replays JOIN replay_spans AS spans ON replay_id = replays.id
WHERE {_IN_TRACE.format("replays")}
ORDER BY started_at, replayed LIMIT :limit"""
_REPLAYS = """SELECT * FROM replays WHERE exchange_id = :id AND result = 'hit'
ORDER BY id DESC LIMIT :limit"""
# each a search in an index: a key, or a model, may have a million exchanges
_LIKE_IT = """WITH mine AS (
  SELECT exchanges.id, started_at, request_model, exchanges.cassette, match_keys.host, key
  FROM exchanges LEFT JOIN match_keys
    ON match_keys.exchange_id = exchanges.id AND key LIKE :exact
  WHERE exchanges.id = :id)
SELECT
  (SELECT max(id) FROM exchanges WHERE id < :id) AS previous,
  (SELECT min(id) FROM exchanges WHERE id > :id) AS next,
  (SELECT max(exchange_id) FROM match_keys WHERE key = mine.key
    AND cassette = mine.cassette AND host = mine.host AND exchange_id < :id) AS same_request,
  (SELECT min(exchange_id) FROM match_keys WHERE key = mine.key
    AND cassette = mine.cassette AND host = mine.host AND exchange_id > :id)
    AS same_request_later,
  coalesce(
    (SELECT exchange_id FROM match_keys WHERE key = mine.key AND cassette > mine.cassette
      ORDER BY cassette, host, exchange_id LIMIT 1),
    (SELECT exchange_id FROM match_keys WHERE key = mine.key AND cassette < mine.cassette
      ORDER BY cassette DESC, host DESC, exchange_id DESC LIMIT 1)) AS same_request_elsewhere,
  (SELECT id FROM exchanges WHERE request_model = mine.request_model
    AND started_at <= mine.started_at AND id < :id
    ORDER BY started_at DESC LIMIT 1) AS same_model
FROM mine LIMIT 1"""


@dataclass(frozen=True, slots=True, kw_only=True)
class LikeIt:
    """Ids of exchanges to go to, or to compare with; None where there is none.

    Attributes:
        previous: the one before; `next` the one after.
        same_request: the latest before it with an equal request (see `match_keys`) in
            its cassette; `same_request_later` the first after it.
        same_request_elsewhere: one in another cassette.
        same_model: the latest before it that asked for the same model.
    """

    previous: int | None = None
    next: int | None = None
    same_request: int | None = None
    same_request_later: int | None = None
    same_request_elsewhere: int | None = None
    same_model: int | None = None


def spans(connection: sqlite3.Connection, exchange_id: int, *, limit: int) -> list[dict[str, Any]]:
    """Rows of `spans` and `replay_spans`: its own, then those of its latest replays."""
    own = _rows(connection, _SPAN, id=exchange_id)
    return own + _rows(connection, _REPLAY_SPANS, id=exchange_id, limit=limit)


def trace(connection: sqlite3.Connection, trace_id: str, *, limit: int) -> list[dict[str, Any]]:
    """What is known of each span of a trace, the earliest first."""
    return _rows(connection, _TRACE, trace_id=trace_id, limit=limit)


def replays(
    connection: sqlite3.Connection, exchange_id: int, *, limit: int
) -> list[dict[str, Any]]:
    """Rows of `replays`: the latest that this exchange answered."""
    return _rows(connection, _REPLAYS, id=exchange_id, limit=limit)


def like_it(connection: sqlite3.Connection, exchange_id: int) -> LikeIt:
    """Those before and after it, and those like it."""
    found = _rows(connection, _LIKE_IT, id=exchange_id, exact=f"{EXACT_PREFIX}%")
    return LikeIt(**found[0]) if found else LikeIt()


def _rows(connection: sqlite3.Connection, sql: str, **values: object) -> list[dict[str, Any]]:
    cursor = connection.execute(sql, values)
    return [as_dict(cursor, row) for row in cursor.fetchall()]
