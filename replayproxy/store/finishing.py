"""The last that is written of an exchange, whoever ends it: its recorder, or the next one."""

import sqlite3
from collections.abc import Sequence
from typing import Any

from replayproxy.model import Exchange
from replayproxy.store import journal, rows
from replayproxy.store.sql import update


def finish(
    connection: sqlite3.Connection,
    exchange_id: int,
    exchange: Exchange,
    body_id: int | None,
    chunk_table: bytes,
    *,
    offsets_ns: Sequence[int],
) -> None:
    """Turn a row that was in flight into a finished one; its journal goes."""
    columns = rows.exchange_columns(exchange) | rows.rhythm_columns(offsets_ns)
    update(connection, "exchanges", columns, id=exchange_id)
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
