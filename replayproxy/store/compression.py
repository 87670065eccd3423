"""zstd for bodies. One body is one frame, or several one after the other: both can be read back.

Rule: every frame is whole by itself, so that what is there can be read, whatever
became of the rest.
"""

import threading

import zstandard

_LEVEL = 3
_here = threading.local()


def compress(data: bytes) -> bytes:
    """One whole frame; nothing for nothing.

    >>> decompress(compress(b"hello ") + compress(b"world"))
    b'hello world'
    """
    if not data:
        return b""
    compressed: bytes = _tools().compressor.compress(data)
    return compressed


def decompress(data: bytes) -> bytes:
    """What all frames hold; of a frame that was cut, all that can be read of it."""
    decompressed: bytes = (
        _tools().decompressor.decompressobj(read_across_frames=True).decompress(data)
    )
    return decompressed


def compress_against(data: bytes, base: bytes) -> bytes:
    """One frame that says only what is not in `base`; it takes `base` to read it.

    >>> decompress_against(compress_against(b"hello world", b"hello"), b"hello")
    b'hello world'
    """
    parameters = zstandard.ZstdCompressionParameters.from_level(
        _LEVEL, source_size=len(data), dict_size=len(base)
    )
    compressor = zstandard.ZstdCompressor(compression_params=parameters, dict_data=_raw(base))
    compressed: bytes = compressor.compress(data)
    return compressed


def decompress_against(data: bytes, base: bytes) -> bytes:
    """What `compress_against` was given."""
    decompressor = zstandard.ZstdDecompressor(dict_data=_raw(base))
    decompressed: bytes = decompressor.decompress(data)
    return decompressed


def _raw(base: bytes) -> zstandard.ZstdCompressionDict:
    return zstandard.ZstdCompressionDict(base, dict_type=zstandard.DICT_TYPE_RAWCONTENT)


def _tools() -> threading.local:
    """This thread's own: to make them costs more than to use them, and no two may share them."""
    if not hasattr(_here, "compressor"):
        _here.compressor = zstandard.ZstdCompressor(level=_LEVEL)
        _here.decompressor = zstandard.ZstdDecompressor()
    return _here
