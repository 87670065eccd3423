"""What has come of a body and was not yet made sense of; how much of it is in the journal."""

from collections.abc import Sequence

from replayproxy.model import Chunk
from replayproxy.store import packing


class Backlog:
    """Chunks in their order, and the part of the chunk table that is theirs.

    Attributes:
        chunks: all that are not digested.
        bytes: how many bytes they hold.
        ends_ns: when the last one came, or one before it.
        offsets_ns: when each chunk came, of those that were digested, too.
    """

    def __init__(self) -> None:
        self.chunks: list[Chunk] = []
        self.bytes = 0
        self.ends_ns = 0
        self.offsets_ns: list[int] = []
        self._table = bytearray()
        self._flushed = self._table_flushed = 0

    def add(self, chunks: Sequence[Chunk]) -> None:
        """These have come."""
        if not chunks:
            return
        self.chunks += chunks
        sizes = [(chunk.offset_ns, len(chunk.data)) for chunk in chunks]
        self.bytes += sum(size for _, size in sizes)
        self._table += packing.pack(sizes, base_ns=self.ends_ns)
        offsets_ns = [offset_ns for offset_ns, _ in sizes]
        self.offsets_ns += offsets_ns
        self.ends_ns = max(self.ends_ns, *offsets_ns)

    def unflushed(self) -> tuple[bytes, bytes]:
        """The bytes that are not in the journal, and their part of the table."""
        data = b"".join(chunk.data for chunk in self.chunks[self._flushed :])
        return data, bytes(self._table[self._table_flushed :])

    def flushed(self) -> None:
        """All of it is in the journal."""
        self._flushed, self._table_flushed = len(self.chunks), len(self._table)

    def clear(self) -> bytes:
        """It was digested; returns its part of the table."""
        table = bytes(self._table)
        self.chunks.clear()
        self._table.clear()
        self.bytes = self._flushed = self._table_flushed = 0
        return table
