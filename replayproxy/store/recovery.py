"""What a killed run left behind: its open exchanges become `interrupted`."""

import sqlite3
from pathlib import Path

from replayproxy.content_coding import Decoder
from replayproxy.model import Ending, Exchange
from replayproxy.recording import Recording
from replayproxy.store import bodies, journal, match_index, packing
from replayproxy.store.compression import decompress
from replayproxy.store.exchange_rows import read_exchange
from replayproxy.store.finishing import finish
from replayproxy.store.liveness import forget_dead_runs, is_alive
from replayproxy.store.reel import Enrich
from replayproxy.store.space import transaction


def recover(connection: sqlite3.Connection, path: Path, enrich: Enrich) -> int:
    """Finish the exchanges of runs that are really dead; returns how many there were.

    The bytes up to the last flush are kept, with their timing.
    """
    # read and written as one: others that start now, or delete, have done so before or will after
    with transaction(connection):
        unfinished = connection.execute(
            "SELECT run_id, id FROM exchanges WHERE outcome IS NULL ORDER BY run_id, id"
        ).fetchall()
        dead = {run for run in {row[0] for row in unfinished} if not is_alive(path, run)}
        left_behind = [exchange_id for run, exchange_id in unfinished if run in dead]
        for exchange_id in left_behind:
            _interrupt(connection, exchange_id, enrich)
    forget_dead_runs(path)
    return len(left_behind)


def _interrupt(connection: sqlite3.Connection, exchange_id: int, enrich: Enrich) -> None:
    exchange = read_exchange(connection, exchange_id)
    assert exchange is not None
    pieces, table = journal.read(connection, exchange_id)
    body = decompress(pieces) if pieces else b""
    recording = Recording(
        request=exchange.request,
        started_at=exchange.started_at,
        cassette=exchange.cassette,
        decoder=Decoder,
    )
    last_ns = 0
    if exchange.head:
        recording.head(exchange.head)
        last_ns = exchange.head.offset_ns
    chunks = packing.cut(body, table)
    recording.chunks(chunks)
    if chunks:
        last_ns = chunks[-1].offset_ns
    recording.finish(Ending.INTERRUPTED, last_ns, detail="the recording did not end")
    body_id = bodies.put(connection, body)
    finished = enrich(recording.exchange())
    has_bodies = _has_bodies(connection, exchange, body, table)
    offsets_ns = [chunk.offset_ns for chunk in chunks]
    finish(connection, exchange_id, finished, body_id, table, offsets_ns=offsets_ns)
    if has_bodies:
        match_index.put(connection, finished, exchange_id)


def _has_bodies(
    connection: sqlite3.Connection, exchange: Exchange, body: bytes, table: bytes
) -> bool:
    """Whether its bodies were kept, and not just counted."""
    (request_bytes,) = connection.execute(
        "SELECT request_bytes FROM exchanges WHERE id = ?", [exchange.id]
    ).fetchone()
    return len(exchange.request.body) == request_bytes and len(body) == sum(
        length for _, length in packing.unpack(table)
    )
