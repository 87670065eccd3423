"""Bodies compressed whole, and in pieces that can be read before the end."""

import hashlib

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from replayproxy.store.compression import StreamCompressor, compress, decompress


@given(st.binary())
def test_a_whole_body_survives(data: bytes) -> None:
    assert decompress(compress(data)) == data


@given(st.lists(st.binary(max_size=200)))
def test_a_stream_can_be_read_after_every_piece(pieces: list[bytes]) -> None:
    body = StreamCompressor()
    stored = sent = b""

    for piece in pieces:
        stored += body.compress(piece)
        sent += piece
        assert decompress(stored) == sent

    assert decompress(stored + body.finish()) == sent
    assert (body.size, body.sha256) == (len(sent), hashlib.sha256(sent).digest())


def test_a_long_stream_is_one_frame_and_smaller_than_its_bytes() -> None:
    event = b'data: {"choices":[{"index":0,"delta":{"content":"word"}}]}\n\n'
    body = StreamCompressor()

    stored = b"".join(body.compress(event) for _ in range(2_000)) + body.finish()

    assert zstandard.ZstdDecompressor().decompressobj().decompress(stored) == event * 2_000
    assert len(stored) < len(event) * 2_000 / 4


def test_what_was_never_compressed_is_refused() -> None:
    with pytest.raises(zstandard.ZstdError):
        decompress(b"not a zstd frame")
