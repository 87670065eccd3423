"""Bodies compressed in frames that can be read one by one, and joined."""

import threading

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from replayproxy.store.compression import compress, decompress


@given(st.binary())
def test_a_whole_body_survives(data: bytes) -> None:
    assert decompress(compress(data)) == data


@given(st.lists(st.binary(max_size=200)))
def test_frames_one_after_the_other_are_one_body(pieces: list[bytes]) -> None:
    assert decompress(b"".join(map(compress, pieces))) == b"".join(pieces)


def test_a_frame_that_never_ended_is_read_as_far_as_it_goes() -> None:
    # as files of earlier versions have it, of recorders that were killed
    unfinished = zstandard.ZstdCompressor().compressobj()
    flushed = unfinished.compress(b"hello ") + unfinished.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)

    assert decompress(flushed) == b"hello "


def test_a_long_stream_is_much_smaller_than_its_bytes() -> None:
    event = b'data: {"choices":[{"index":0,"delta":{"content":"word"}}]}\n\n'

    assert len(compress(event * 2_000)) < len(event) * 2_000 / 100


def test_two_threads_compress_at_once() -> None:
    bodies = [bytes([number]) * 200_000 for number in range(4)]
    found: dict[int, bytes] = {}

    def work(number: int) -> None:
        for _ in range(20):
            found[number] = decompress(compress(bodies[number]))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [found[number] for number in range(4)] == bodies


def test_what_was_never_compressed_is_refused() -> None:
    with pytest.raises(zstandard.ZstdError):
        decompress(b"not a zstd frame")
