"""What exchanges weigh: what would be free if they were gone. Reads only."""

import sqlite3

BODIES_OF = """
SELECT body_id FROM requests WHERE exchange_id = :id AND body_id IS NOT NULL
UNION SELECT body_id FROM responses WHERE exchange_id = :id AND body_id IS NOT NULL"""

_PAGE_BYTES = 4096
_ROWS_BYTES = 1_150  # an exchange's rows and index entries, apart from what is counted
_DOC_ROW_BYTES = 200  # of what is searched: with its index entries and hashes
_INDEXED = 2.1  # a text that is searched: as it is stored, and what the index has of it
_BODY_ROW_BYTES = 60
_INDEX_ENTRY_BYTES = 60


class Weight:
    """Adds up exchanges. A body counts with the last one that refers to it.

    Attributes:
        exchanges: how many were added.
        bodies: how many go with them.
        bytes: what that frees, about.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.exchanges = self.bodies = self.bytes = 0
        self._connection = connection
        self._references: dict[int, int] = {}

    def add(self, exchange_id: int) -> None:
        """One more; each only once."""
        self.exchanges += 1
        self.bytes += _ROWS_BYTES + self._row_bytes(exchange_id)
        for (body_id,) in self._connection.execute(BODIES_OF, {"id": exchange_id}).fetchall():
            if body_id not in self._references:
                self._references[body_id] = self._referring(body_id)
            self._references[body_id] -= 1
            if not self._references[body_id]:
                self.bodies += 1
                self.bytes += self._body_bytes(body_id)

    def _row_bytes(self, exchange_id: int) -> int:
        (size,) = self._connection.execute(
            """SELECT length(requests.headers) + coalesce(length(responses.headers), 0)
              + coalesce(length(responses.chunk_table), 0)
              + (SELECT total(:index * (length(prompt) + length(answer)) + :doc) FROM search_docs
                WHERE search_docs.exchange_id = requests.exchange_id)
            FROM requests LEFT JOIN responses USING (exchange_id)
            WHERE exchange_id = :id""",
            {"id": exchange_id, "index": _INDEXED, "doc": _DOC_ROW_BYTES},
        ).fetchone() or (0,)
        return int(size)

    def _referring(self, body_id: int) -> int:
        (number,) = self._connection.execute(
            """SELECT count(*) FROM
            (SELECT exchange_id FROM requests WHERE body_id = :id
            UNION SELECT exchange_id FROM responses WHERE body_id = :id)""",
            {"id": body_id},
        ).fetchone()
        return int(number)

    def _body_bytes(self, body_id: int) -> int:
        size: int
        (size,) = self._connection.execute(
            "SELECT length(data) FROM bodies WHERE id = ?", [body_id]
        ).fetchone()
        row = size + _BODY_ROW_BYTES
        if row < _PAGE_BYTES:
            # between a page packed full and one that holds only such rows, with a gap at its end
            return _INDEX_ENTRY_BYTES + (row + _PAGE_BYTES // (_PAGE_BYTES // row)) // 2
        return _INDEX_ENTRY_BYTES + -(-row // _PAGE_BYTES) * _PAGE_BYTES  # pages of its own
