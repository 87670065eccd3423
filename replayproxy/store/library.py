"""A database as a replay sees it: what may answer a request, and what is like it."""

from collections import OrderedDict
from collections.abc import Iterable
from contextlib import closing
from functools import lru_cache
from pathlib import Path
from typing import Any

from replayproxy.errors import DatabaseError, UnknownExchangeError
from replayproxy.matching import MatchRules, prefix
from replayproxy.model import Chunk, Exchange, Request
from replayproxy.protocols import asked
from replayproxy.redaction import redact_request
from replayproxy.store import match_index
from replayproxy.store.connection import (
    as_database_error,
    known_fingerprint_key,
    open_for_writing,
)
from replayproxy.store.exchange_rows import read_chunks, read_exchange
from replayproxy.store.reader import Store

_PLAYABLE = """id <= :newest
  AND EXISTS (SELECT 1 FROM match_keys WHERE match_keys.exchange_id = exchanges.id)"""
_LIKE_IT = 30
_COMPARED_BYTES = 2_000_000
_AT_HAND_BYTES = 32_000_000
_FOUND = 10_000
_CHUNK_BYTES = 100
"""What a chunk takes beside its bytes."""


class Library(Store):
    """The exchanges that there were when it was opened: what is recorded later is not played."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        with as_database_error(path):
            (newest,) = self._connection.execute("SELECT max(id) FROM exchanges").fetchone()
        self._newest: int = newest or 0
        self._temporary: set[str] = set()
        """What the keys begin with that could not be kept in the file."""
        self._fingerprint_key: bytes | None = None
        self._recent = _Recent()
        self._found = lru_cache(_FOUND)(self._find)  # it sees no exchange that comes later

    def prepare(
        self,
        rules: MatchRules,
        *,
        cassette: str,
        on_progress: match_index.Progress = lambda done, of_all: None,
    ) -> None:
        """Make `recorded` find keys of these rules: at once if it was done before."""
        for some in dict.fromkeys((rules.strict, rules)):
            if not some:
                continue
            try:
                self._index(some, cassette, on_progress)
            except DatabaseError:  # nobody may write there, or somebody does for long
                with as_database_error(self.path):
                    match_index.index(
                        self._connection,
                        some,
                        cassette=cassette,
                        newest=self._newest,
                        on_progress=on_progress,
                        keep=False,
                    )
                self._temporary.add(prefix(some))

    def _index(self, rules: MatchRules, cassette: str, on_progress: match_index.Progress) -> None:
        with (
            as_database_error(self.path),
            closing(open_for_writing(self.path).conn) as connection,
        ):
            match_index.index(
                connection,
                rules,
                cassette=cassette,
                newest=self._newest,
                on_progress=on_progress,
                keep=True,
            )

    def recorded(
        self, key: str, *, cassette: str, prefer: Iterable[str]
    ) -> match_index.Recorded | None:
        """What may answer this key, in recorded order; of the preferred hosts, if they have any."""
        return self._found(key, cassette, tuple(prefer))

    def _find(
        self, key: str, cassette: str, prefer: tuple[str, ...]
    ) -> match_index.Recorded | None:
        kind = key[: key.index(":") + 1]
        with as_database_error(self.path):
            return match_index.find(
                self._connection,
                self.path,
                key,
                cassette=cassette,
                prefer=prefer,
                newest=self._newest,
                table=match_index.TEMPORARY if kind in self._temporary else "match_keys",
            )

    def recording(self, exchange_id: int) -> tuple[Exchange, tuple[Chunk, ...]]:
        """One exchange and its chunks; what was asked for lately is still at hand.

        Raises:
            UnknownExchangeError: it was deleted meanwhile.
        """
        if found := self._recent.get(exchange_id):
            return found
        with as_database_error(self.path), self._one_state():
            exchange = read_exchange(self._connection, exchange_id)
            chunks = read_chunks(self._connection, exchange_id)
        if exchange is None:
            self._found.cache_clear()  # it remembers what is gone
            raise UnknownExchangeError(exchange_id=exchange_id, path=self.path)
        self._recent.put(exchange_id, (exchange, chunks))
        return exchange, chunks

    def as_stored(self, request: Request) -> Request:
        """The request as it is stored: its secrets are fingerprints."""
        if self._fingerprint_key is None:
            with as_database_error(self.path):
                self._fingerprint_key = known_fingerprint_key(self._connection)
        return redact_request(request, key=self._fingerprint_key)

    def comparable(self, request: Request, *, cassette: str) -> list[Exchange]:
        """What a miss is compared with: the newest of its path and those of about its size.

        As many as can be compared in a moment, the newest first; of another path
        if there are none.
        """
        with as_database_error(self.path):
            ids = self._like(request, cassette) or self._ids(
                "cassette = :cassette", "id DESC", {"cassette": cassette}
            )
            found: list[Exchange] = []
            size = 0
            for exchange_id in sorted(ids, reverse=True):
                if exchange := read_exchange(self._connection, exchange_id):
                    found.append(exchange)
                    size += len(exchange.request.body)
                if size > _COMPARED_BYTES:
                    break
            return found

    def _like(self, request: Request, cassette: str) -> set[int]:
        values = {
            "cassette": cassette,
            "path": request.path,
            "model": asked(request).model,
            "bytes": len(request.body),
        }
        path = "cassette = :cassette AND path = :path"
        model = f"{path} AND request_model IS :model"
        return {
            *self._ids(path, "id DESC", values),
            *self._ids(f"{model} AND request_bytes >= :bytes", "request_bytes", values),
            *self._ids(f"{model} AND request_bytes < :bytes", "request_bytes DESC", values),
        }

    def _ids(self, where: str, order: str, values: dict[str, Any]) -> list[int]:
        found = self._connection.execute(
            f"SELECT id FROM exchanges WHERE {where} AND {_PLAYABLE} ORDER BY {order} LIMIT :limit",
            {**values, "limit": _LIKE_IT, "newest": self._newest},
        )
        return [row[0] for row in found]


class _Recent:
    """The recordings asked for last, up to a size: memory does not grow with the database."""

    def __init__(self) -> None:
        self._found: OrderedDict[int, tuple[Exchange, tuple[Chunk, ...]]] = OrderedDict()
        self._size = 0

    def get(self, exchange_id: int) -> tuple[Exchange, tuple[Chunk, ...]] | None:
        found = self._found.get(exchange_id)
        if found:
            self._found.move_to_end(exchange_id)
        return found

    def put(self, exchange_id: int, found: tuple[Exchange, tuple[Chunk, ...]]) -> None:
        self._found[exchange_id] = found
        self._size += _size(found)
        while self._size > _AT_HAND_BYTES:
            _, dropped = self._found.popitem(last=False)
            self._size -= _size(dropped)


def _size(found: tuple[Exchange, tuple[Chunk, ...]]) -> int:
    exchange, chunks = found
    return len(exchange.request.body) + exchange.response_bytes + _CHUNK_BYTES * (1 + len(chunks))
