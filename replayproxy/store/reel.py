"""One exchange on its way into the database: what is saved, what is not yet.

A reel belongs to the writer thread. `take()` consumes what the traffic brought;
`save()` writes it inside the writer's transaction; `saved()` is called once that
has been committed. Until then a failed `save()` can be tried again and again.
"""

import hashlib
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

from replayproxy.attribution import credential
from replayproxy.content_coding import Decoder
from replayproxy.model import Chunk, Ending, Exchange, Request, ResponseHead
from replayproxy.recording import Policy, Recording
from replayproxy.redaction import fingerprint, redact_headers, redact_request
from replayproxy.store import bodies, finishing, journal, match_index, rollups, rows
from replayproxy.store.backlog import Backlog
from replayproxy.store.body_secrets import BodyScan, minted_answer
from replayproxy.store.compression import compress
from replayproxy.store.histories import Histories, Stored
from replayproxy.store.sql import insert


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """The transport's end, as the traffic's thread saw it."""

    ending: Ending
    offset_ns: int
    detail: str | None = None


type Item = ResponseHead | Chunk | End
type Enrich = Callable[[Exchange], Exchange]
"""Adds what a recording cannot know by itself (provider, cost) to a finished exchange."""


DIGESTED_BYTES = 64 * 1024
"""A stream is understood in pieces of this size, and at its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an exchange stands in the database.

    Attributes:
        head: whether the response's row is there.
        frames: rows of the journal that are part of the body as it will be stored.
        pieces: rows after those: what was flushed since, uncomfortably small.
    """

    exchange_id: int
    head: bool = False
    frames: int = 0
    pieces: int = 0


class Reel:
    """The writer's side of one exchange.

    What arrives is flushed to the journal as it is. It is understood, searched and
    compressed later, much at once: that is several times cheaper.
    """

    def __init__(
        self,
        *,
        request: Request,
        started_at: datetime,
        cassette: str,
        run_id: int,
        policy: Policy,
        histories: Histories,
    ) -> None:
        self.exchange: Exchange | None = None
        """The final exchange, once `take` has seen the end."""
        self.unread: str | None = None
        """Why the final exchange has no parsed view, if it has none."""
        self._request = request
        self._run_id = run_id
        self._histories = histories
        self._request_body: Stored | None = None
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
        self._backlog = Backlog()
        # what was digested, but not saved
        self._frames = bytearray()
        self._frames_table = bytearray()
        self._sha256 = hashlib.sha256()
        self._size = 0
        self._last_offset_ns = 0
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
        end: End | None = None
        chunks: list[Chunk] = []
        for item in self._held_back(items):
            match item:
                case Chunk():
                    chunks.append(item)
                case ResponseHead():
                    self._recording.head(item)
                    self._head = item
                    if self._scan:
                        self._scan.head(item)
                    self._last_offset_ns = item.offset_ns
                case End():
                    end = item
        if chunks:
            self._backlog.add(chunks)
            self._last_offset_ns = self._backlog.ends_ns
        if end or self._backlog.bytes >= DIGESTED_BYTES:
            self._digest()
        if end and self.exchange is None:
            self._recording.finish(end.ending, end.offset_ns, detail=end.detail)
            self.exchange = enrich(self._recording.exchange())
            self.unread = self._recording.unread

    def _digest(self) -> None:
        """Understand, search and compress what was taken."""
        chunks = self._backlog.chunks
        self._recording.chunks(chunks)
        if self._scan:
            data = b"".join(chunk.data for chunk in chunks)
            self._scan.response(data)
            self._sha256.update(data)
            self._size += len(data)
            self._frames += compress(data)
        self._frames_table += self._backlog.clear()

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
        if self.exchange and self._place is None:
            self._insert_whole(connection, key, self.exchange)
            return
        place = self._place or Place(exchange_id=self._insert(connection, key))
        if self._head and not place.head:
            self._insert_response(connection, place.exchange_id, self._head, key)
            place = replace(place, head=True)
        if self.exchange:
            self.exchange = replace(self.exchange, id=place.exchange_id)
            self._finish(connection, place, self.exchange)
        else:
            place = self._flush(connection, place)
        self._next_place = place

    def saved(self) -> None:
        """What `save` wrote is committed."""
        if self._request_body:
            self._histories.remember(self._request_body)
            self._request_body = None
        self._place = self._next_place
        self._frames.clear()
        self._frames_table.clear()
        self._backlog.flushed()

    def _flush(self, connection: sqlite3.Connection, place: Place) -> Place:
        """Into the journal: frames in place of the pieces they were made of, then new pieces."""
        at = place.exchange_id
        if self._frames_table:
            journal.clear(connection, at, after=place.frames)
            journal.append(
                connection, at, place.frames, bytes(self._frames), bytes(self._frames_table)
            )
            place = replace(place, frames=place.frames + 1, pieces=0)
        data, table = self._backlog.unflushed()
        if table:
            piece = compress(data) if self._keep_bodies else b""
            journal.append(connection, at, place.frames + place.pieces, piece, table)
            place = replace(place, pieces=place.pieces + 1)
        return place

    def _insert(self, connection: sqlite3.Connection, key: bytes) -> int:
        request = self._request
        columns = rows.exchange_columns(self.exchange or self._recording.exchange())
        secret = credential(request.headers, request.query)
        columns |= {
            "run_id": self._run_id,
            "key_fingerprint": fingerprint(secret, key=key) if secret else None,
        }
        if self.exchange:
            columns |= rows.rhythm_columns(self._backlog.offsets_ns)
        exchange_id = insert(connection, "exchanges", columns)
        rollups.note(connection, [exchange_id])
        stored = redact_request(request, key=key)
        self._request_body = (
            bodies.put_next(connection, request.body, self._histories)
            if self._keep_bodies
            else None
        )
        insert(
            connection,
            "requests",
            {
                "exchange_id": exchange_id,
                "body_id": self._request_body.id if self._request_body else None,
                **rows.request_columns(stored),
            },
        )
        return exchange_id

    def _insert_response(
        self,
        connection: sqlite3.Connection,
        exchange_id: int,
        head: ResponseHead,
        key: bytes,
        ended: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        stored = replace(head, headers=redact_headers(head.headers, key=key))
        columns = {"exchange_id": exchange_id, **rows.head_columns(stored), **ended}
        insert(connection, "responses", columns)

    def _insert_whole(self, connection: sqlite3.Connection, key: bytes, exchange: Exchange) -> None:
        """Began and ended since the last transaction: each row is written once."""
        exchange_id = self._insert(connection, key)
        self.exchange = replace(exchange, id=exchange_id)
        if self._head:
            body_id = self._put_body(connection)
            ended = finishing.ended_columns(exchange, body_id, bytes(self._frames_table))
            self._insert_response(connection, exchange_id, self._head, key, ended)
        self._put_key(connection, exchange_id, exchange)

    def _finish(self, connection: sqlite3.Connection, place: Place, exchange: Exchange) -> None:
        frames, table = b"", b""
        if place.frames:
            frames, table = journal.read(connection, place.exchange_id, before=place.frames)
        body_id = self._put_body(connection, frames)
        table += self._frames_table
        finishing.finish(
            connection,
            place.exchange_id,
            exchange,
            body_id,
            table,
            offsets_ns=self._backlog.offsets_ns,
        )
        self._put_key(connection, place.exchange_id, exchange)

    def _put_body(self, connection: sqlite3.Connection, frames: bytes = b"") -> int | None:
        return bodies.put_compressed(
            connection,
            sha256=self._sha256.digest(),
            size=self._size,
            data=frames + self._frames,
        )

    def _put_key(
        self, connection: sqlite3.Connection, exchange_id: int, exchange: Exchange
    ) -> None:
        if self._keep_bodies:  # without them it cannot be asked for, nor answered
            match_index.put(connection, exchange, exchange_id)
