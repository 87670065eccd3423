"""Content-encodings (RFC 9110 8.4) undone for the parsed view: in pieces, and with a limit.

The wire bytes are kept as they are; what is decoded here is only read.
"""

import zlib
from collections.abc import Callable
from typing import Any

import zstandard

MAX_BYTES = 100 * 1024 * 1024
MAX_RATIO = 200
_RATIO_GRACE_BYTES = 1024 * 1024
_ZSTD_SLICE_BYTES = 512


class Decoder:
    """Decodes one body. After an error or past the limit it gives nothing more.

    Attributes:
        problem: why the decoded bytes are not all; None while all is well.

    >>> Decoder("gzip").decode(zlib.compress(b"hello", wbits=31))
    b'hello'
    >>> Decoder(None).decode(b"as it is")
    b'as it is'
    """

    def __init__(self, content_encoding: str | None) -> None:
        self.problem: str | None = None
        self._read = self._written = 0
        self._steps: list[Callable[[bytes], bytes]] = []
        for coding in reversed((content_encoding or "").lower().split(",")):
            step = _step(coding.strip())
            if step is None:
                self.problem = f"unknown content-encoding {coding.strip()!r}"
            elif step is not _identity:
                self._steps.append(step)

    def decode(self, data: bytes) -> bytes:
        """The next decoded bytes, perhaps none."""
        if self.problem:
            return b""
        if not self._steps:
            return data
        self._read += len(data)
        try:
            for step in self._steps:
                data = step(data)
        except _OverLimitError:
            self.problem = "decoded size is over the limit"
            return b""
        except Exception as error:  # noqa: BLE001 (each codec has exceptions of its own)
            self.problem = f"cannot be decoded: {error}"
            return b""
        self._written += len(data)
        allowed = max(_RATIO_GRACE_BYTES, self._read * MAX_RATIO)
        if self._written > min(MAX_BYTES, allowed):
            self.problem = "decoded size is over the limit"
            return b""
        return data


class _OverLimitError(Exception):
    """One call gave more than the limit."""


def _identity(data: bytes) -> bytes:
    return data


def _step(coding: str) -> Callable[[bytes], bytes] | None:
    """A function that decodes piece after piece, or None for a coding we don't know."""
    match coding:
        case "" | "identity":
            return _identity
        case "gzip" | "x-gzip":
            return _capped_zlib(zlib.decompressobj(wbits=31))
        case "deflate":
            return _Deflate().decode
        case "zstd":
            return _zstd()
        case "br":
            return _brotli()
        case _:
            return None


def _capped_zlib(decompressor: Any) -> Callable[[bytes], bytes]:
    """Never more than the limit at once, so that a bomb cannot fill the memory first."""

    def decode(data: bytes) -> bytes:
        if decompressor.eof:
            return b""
        decoded: bytes = decompressor.decompress(data, MAX_BYTES)
        if decompressor.unconsumed_tail:
            raise _OverLimitError
        return decoded

    return decode


def _zstd() -> Callable[[bytes], bytes]:
    """In slices, so small that what one of them can blow up to (1 : 32,768) is bearable."""
    decompressor = zstandard.ZstdDecompressor().decompressobj(read_across_frames=True)

    def decode(data: bytes) -> bytes:
        decoded = bytearray()
        for start in range(0, len(data), _ZSTD_SLICE_BYTES):
            decoded += decompressor.decompress(data[start : start + _ZSTD_SLICE_BYTES])
            if len(decoded) > MAX_BYTES:
                raise _OverLimitError
        return bytes(decoded)

    return decode


class _Deflate:
    """zlib format as the standard says, or raw deflate as some servers send."""

    def __init__(self) -> None:
        self._step: Callable[[bytes], bytes] | None = None

    def decode(self, data: bytes) -> bytes:
        if self._step is None and data:
            looks_like_zlib = data[0] & 0x0F == 8 and data[0] >> 4 <= 7
            wbits = zlib.MAX_WBITS if looks_like_zlib else -zlib.MAX_WBITS
            self._step = _capped_zlib(zlib.decompressobj(wbits=wbits))
        return self._step(data) if self._step else b""


def _brotli() -> Callable[[bytes], bytes] | None:
    try:
        import brotli
    except ModuleNotFoundError:
        return None
    decompressor = brotli.Decompressor()

    def decode(data: bytes) -> bytes:
        decoded: bytes = decompressor.process(data, output_buffer_limit=MAX_BYTES)
        if not decompressor.can_accept_more_data():
            raise _OverLimitError
        return decoded

    return decode
