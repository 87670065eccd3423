"""The last that is written of an exchange, whoever ends it: its recorder, or the next one."""

import logging
import sqlite3
from dataclasses import replace
from typing import Any

from replayproxy.model import Exchange
from replayproxy.store import journal, rows, span_rows
from replayproxy.store.sql import update
from replayproxy.telemetry.spans import span_of

logger = logging.getLogger(__name__)


def finish(
    connection: sqlite3.Connection,
    exchange_id: int,
    exchange: Exchange,
    body_id: int | None,
    chunk_table: bytes,
) -> None:
    """Turn a row that was in flight into a finished one; its journal goes."""
    update(connection, "exchanges", rows.exchange_columns(exchange), id=exchange_id)
    put_span(connection, exchange_id, exchange)
    ended = ended_columns(exchange, body_id, chunk_table)
    update(connection, "responses", ended, exchange_id=exchange_id)
    journal.clear(connection, exchange_id)


def ended_columns(exchange: Exchange, body_id: int | None, chunk_table: bytes) -> dict[str, Any]:
    """What a row of `responses` gets at its end."""
    return {
        "body_id": body_id,
        "chunk_table": chunk_table,
        "ending": exchange.ending,
        "end_offset_ns": exchange.end_offset_ns,
    }


def put_span(connection: sqlite3.Connection, exchange_id: int, exchange: Exchange) -> None:
    """The span of a finished exchange: it is derived, so that a fault of it costs nothing else."""
    try:
        span = span_of(replace(exchange, id=exchange_id))
    except Exception:
        logger.exception("replayproxy: exchange %s has no span", exchange_id)
        return
    span_rows.put(connection, exchange_id, span, replayed=False)
