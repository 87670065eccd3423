"""zstd for bodies: whole ones, and streams that must be readable before they end."""

import hashlib

import zstandard

_LEVEL = 3
# A small window: hundreds of streams may be compressed side by side.
_STREAM_PARAMETERS = zstandard.ZstdCompressionParameters.from_level(_LEVEL, window_log=17)


def decompress(data: bytes) -> bytes:
    """What was compressed; of a stream that was cut, all up to its last flush."""
    return zstandard.ZstdDecompressor().decompressobj().decompress(data)


class StreamCompressor:
    """Compresses a body in pieces; the pieces, joined, are one zstd frame.

    Every piece can be read back as soon as it is there, together with those
    before it. Memory does not grow with the body.

    >>> body = StreamCompressor()
    >>> first = body.compress(b"hello ")
    >>> decompress(first)
    b'hello '
    >>> decompress(first + body.compress(b"world") + body.finish())
    b'hello world'
    """

    def __init__(self) -> None:
        compressor = zstandard.ZstdCompressor(compression_params=_STREAM_PARAMETERS)
        self._frame = compressor.compressobj()
        self._digest = hashlib.sha256()
        self.size = 0

    def compress(self, data: bytes) -> bytes:
        """The next piece, flushed."""
        self._digest.update(data)
        self.size += len(data)
        piece = self._frame.compress(data)
        return piece + self._frame.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)

    def finish(self) -> bytes:
        """The end of the frame."""
        return self._frame.flush(zstandard.COMPRESSOBJ_FLUSH_FINISH)

    @property
    def sha256(self) -> bytes:
        """Digest of all that was compressed so far."""
        return self._digest.digest()


def compress(data: bytes) -> bytes:
    """A whole body at once."""
    return zstandard.ZstdCompressor(level=_LEVEL).compress(data)
