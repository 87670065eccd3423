"""The chunk table of a body, packed: offsets and lengths as varints.

A table is a sequence of pairs, one a chunk: nanoseconds since the chunk before
(the first: since the request), then the length in bytes. Each number is an
unsigned LEB128 varint. Tables can be joined when the second was packed with
the first one's last offset as `base_ns`. About 6 bytes a chunk.
"""

import json
from collections.abc import Iterable, Iterator

from replayproxy.model import Chunk


def pack(chunks: Iterable[tuple[int, int]], *, base_ns: int = 0) -> bytes:
    """Pack (offset_ns, length) pairs, in order; offsets never decrease.

    >>> pack([(5, 3), (300, 2)]).hex()
    '0503a70202'
    """
    out = bytearray()
    last = base_ns
    for offset_ns, length in chunks:
        for number in (max(0, offset_ns - last), length):
            while number > 0x7F:
                out.append(number & 0x7F | 0x80)
                number >>= 7
            out.append(number)
        last = max(last, offset_ns)
    return bytes(out)


def unpack(table: bytes) -> Iterator[tuple[int, int]]:
    """Yield (offset_ns, length) pairs. A torn last pair is left out.

    >>> list(unpack(bytes.fromhex("0503a70202")))
    [(5, 3), (300, 2)]
    """
    number = shift = 0
    offset_ns = 0
    pair: list[int] = []
    for byte in table:
        number |= (byte & 0x7F) << shift
        if byte & 0x80:
            shift += 7
            continue
        pair.append(number)
        number = shift = 0
        if len(pair) == 2:
            offset_ns += pair[0]
            yield offset_ns, pair[1]
            pair.clear()


def cut(body: bytes, table: bytes) -> tuple[Chunk, ...]:
    """A body, cut again as it arrived.

    >>> [chunk.data for chunk in cut(b"onetwo", pack([(5, 3), (300, 3)]))]
    [b'one', b'two']
    """
    chunks, start = [], 0
    for offset_ns, length in unpack(table):
        chunks.append(Chunk(offset_ns=offset_ns, data=body[start : start + length]))
        start += length
    return tuple(chunks)


def as_json(table: bytes | None) -> str:
    """The table as a JSON array of [offset_ns, length]: what the `chunks` view reads."""
    return json.dumps(list(unpack(table or b"")))
