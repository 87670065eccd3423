"""One exchange on its way into the database: what is saved, what is not yet.

A reel belongs to the writer thread. `take()` consumes what the traffic brought;
`save()` writes it inside the writer's transaction; `saved()` is called once that
has been committed. Until then a failed `save()` can be tried again and again.
"""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from replayproxy.attribution import credential
from replayproxy.content_coding import Decoder
from replayproxy.model import Chunk, Ending, Exchange, Request, ResponseHead
from replayproxy.recording import Policy, Recording
from replayproxy.redaction import fingerprint, redact_headers, redact_request
from replayproxy.store import bodies, journal, match_index, packing, rows
from replayproxy.store.body_secrets import BodyScan, minted_answer
from replayproxy.store.compression import StreamCompressor
from replayproxy.store.sql import insert, update


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """The transport's end, as the traffic's thread saw it."""

    ending: Ending
    offset_ns: int
    detail: str | None = None


type Item = ResponseHead | Chunk | End
type Enrich = Callable[[Exchange], Exchange]
"""Adds what a recording cannot know by itself (provider, cost) to a finished exchange."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an exchange stands in the database."""

    exchange_id: int
    head: bool = False
    pieces: int = 0


class Reel:
    """The writer's side of one exchange."""

    def __init__(
        self,
        *,
        request: Request,
        started_at: datetime,
        cassette: str,
        run_id: int,
        policy: Policy,
    ) -> None:
        self.finished = False
        self.exchange: Exchange | None = None
        """The final exchange, once `take` has seen the end."""
        self.unread: str | None = None
        """Why the final exchange has no parsed view, if it has none."""
        self._request = request
        self._run_id = run_id
        self._recording = Recording(
            request=request,
            started_at=started_at,
            cassette=cassette,
            decoder=Decoder,
            policy=policy,
        )
        self._keep_bodies = policy.keep_bodies
        self._minted = minted_answer(request)
        # bodies that are not kept need no report of what is in them
        self._scan = BodyScan(request) if self._keep_bodies else None
        self._head: ResponseHead | None = None
        self._body = StreamCompressor()
        self._piece = bytearray()
        self._table = bytearray()
        self._last_offset_ns = self._table_ends_ns = 0
        self._place: Place | None = None
        self._next_place: Place | None = None

    @property
    def last_offset_ns(self) -> int:
        """When something last arrived."""
        return self._last_offset_ns

    @property
    def key_shapes(self) -> set[str]:
        """The kinds of keys that its bodies seem to hold."""
        return self._scan.found if self._scan else set()

    def take(self, items: list[Item], enrich: Enrich) -> None:
        """Consume what has arrived since the last time."""
        items = self._held_back(items)
        data: list[bytes] = []
        sizes: list[tuple[int, int]] = []
        for item in items:
            match item:
                case Chunk():
                    self._recording.chunk(item)
                    data.append(item.data)
                    sizes.append((item.offset_ns, len(item.data)))
                case ResponseHead():
                    self._recording.head(item)
                    self._head = item
                    if self._scan:
                        self._scan.head(item)
                    self._last_offset_ns = item.offset_ns
                case End():
                    self._recording.finish(item.ending, item.offset_ns, detail=item.detail)
                    self.finished = True
        if data:
            joined = b"".join(data)
            if self._scan:
                self._scan.response(joined)
                self._piece += self._body.compress(joined)
            self._table += packing.pack(sizes, base_ns=self._table_ends_ns)
            self._table_ends_ns = max(self._table_ends_ns, *(offset_ns for offset_ns, _ in sizes))
            self._last_offset_ns = self._table_ends_ns
        if self.finished and self.exchange is None:
            self._piece += self._body.finish()
            self.exchange = enrich(self._recording.exchange())
            self.unread = self._recording.unread

    def _held_back(self, items: list[Item]) -> list[Item]:
        """The same without the chunks of a minted answer, until its end brings them, masked."""
        if self._minted is None:
            return items
        chunks = [item for item in items if isinstance(item, Chunk)]
        rest: list[Item] = [item for item in items if not isinstance(item, Chunk)]
        self._minted.hold(chunks)
        self._last_offset_ns = max([self._last_offset_ns, *(c.offset_ns for c in chunks)])
        if not rest or not isinstance(rest[-1], End):
            return rest
        heads = [self._head, *(item for item in rest if isinstance(item, ResponseHead))]
        return [*rest[:-1], *self._minted.release(heads[-1]), rest[-1]]

    def save(self, connection: sqlite3.Connection, key: bytes) -> None:
        """Write what is not yet written; `key` is the database's fingerprint key."""
        place = self._place or self._insert(connection, key)
        if self._head and not place.head:
            self._insert_head(connection, place.exchange_id, self._head, key)
            place = replace(place, head=True)
        if self.exchange is not None:
            self._finish(connection, place, self.exchange)
        elif self._table:
            journal.append(
                connection, place.exchange_id, place.pieces, bytes(self._piece), bytes(self._table)
            )
            place = replace(place, pieces=place.pieces + 1)
        self._next_place = place

    def saved(self) -> None:
        """What `save` wrote is committed."""
        self._place = self._next_place
        self._piece.clear()
        self._table.clear()

    def _insert(self, connection: sqlite3.Connection, key: bytes) -> Place:
        request = self._request
        columns = rows.exchange_columns(self.exchange or self._recording.exchange())
        secret = credential(request.headers, request.query)
        columns |= {
            "run_id": self._run_id,
            "key_fingerprint": fingerprint(secret, key=key) if secret else None,
        }
        exchange_id = insert(connection, "exchanges", columns)
        stored = redact_request(request, key=key)
        insert(
            connection,
            "requests",
            {
                "exchange_id": exchange_id,
                "body_id": bodies.put(connection, request.body) if self._keep_bodies else None,
                **rows.request_columns(stored),
            },
        )
        return Place(exchange_id=exchange_id)

    def _insert_head(
        self, connection: sqlite3.Connection, exchange_id: int, head: ResponseHead, key: bytes
    ) -> None:
        stored = replace(head, headers=redact_headers(head.headers, key=key))
        insert(connection, "responses", {"exchange_id": exchange_id, **rows.head_columns(stored)})

    def _finish(self, connection: sqlite3.Connection, place: Place, exchange: Exchange) -> None:
        pieces, tables = journal.read(connection, place.exchange_id)
        body_id = bodies.put_compressed(
            connection,
            sha256=self._body.sha256,
            size=self._body.size,
            data=pieces + bytes(self._piece),
        )
        finish(connection, place.exchange_id, exchange, body_id, tables + bytes(self._table))
        if self._keep_bodies:  # without them it cannot be asked for, nor answered
            match_index.put(connection, exchange, place.exchange_id)


def finish(
    connection: sqlite3.Connection,
    exchange_id: int,
    exchange: Exchange,
    body_id: int | None,
    chunk_table: bytes,
) -> None:
    """Turn a row that was in flight into a finished one; its journal goes."""
    update(connection, "exchanges", rows.exchange_columns(exchange), id=exchange_id)
    response = {
        "body_id": body_id,
        "chunk_table": chunk_table,
        "ending": exchange.ending,
        "end_offset_ns": exchange.end_offset_ns,
    }
    update(connection, "responses", response, exchange_id=exchange_id)
    journal.clear(connection, exchange_id)
