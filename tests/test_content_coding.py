"""Content-encodings undone in pieces, and never without a limit."""

import gzip
import random
import sys
import tracemalloc
import zlib
from collections.abc import Callable
from itertools import pairwise

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from replayproxy import content_coding
from replayproxy.content_coding import Decoder


def raw_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush()


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


def br(data: bytes) -> bytes:
    compressed: bytes = brotli.compress(data, quality=1)
    return compressed


ENCODERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("X-GZip", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "raw deflate": ("deflate", raw_deflate),
    "br": ("br", br),
    "zstd": ("zstd", zstd),
    "zstd, two frames": ("zstd", lambda data: zstd(data[:5]) + zstd(data[5:])),
    "identity": ("identity", bytes),
    "none": ("", bytes),
    "stacked": ("gzip, br", lambda data: br(gzip.compress(data))),
    "thrice": ("deflate,identity,zstd,gzip", lambda data: gzip.compress(zstd(zlib.compress(data)))),
}


@pytest.mark.parametrize("name", ENCODERS)
@given(data=st.binary(max_size=300), choose=st.data())
def test_a_body_is_decoded_however_it_is_cut(name: str, data: bytes, choose: st.DataObject) -> None:
    coding, encode = ENCODERS[name]
    wire = encode(data)
    cuts = sorted(choose.draw(st.lists(st.integers(0, len(wire)), max_size=8)))
    decoder = Decoder(coding)

    decoded = b"".join(
        decoder.decode(wire[start:end]) for start, end in pairwise([0, *cuts, len(wire)])
    )

    assert (decoded, decoder.problem) == (data, None)


@pytest.mark.parametrize(("coding", "wbits"), [("gzip", 31), ("deflate", 15), ("deflate", -15)])
def test_each_flushed_event_can_be_read_when_it_arrives(coding: str, wbits: int) -> None:
    compressor = zlib.compressobj(wbits=wbits)
    decoder = Decoder(coding)
    for event in (b"data: 1\n\n", b"data: 2\n\n"):
        wire = compressor.compress(event) + compressor.flush(zlib.Z_SYNC_FLUSH)
        assert decoder.decode(wire) == event


@given(st.sampled_from(["gzip", "deflate", "br", "zstd", "zstd, gzip"]), st.lists(st.binary()))
def test_garbage_gives_nothing_or_a_problem_and_never_raises(
    coding: str, pieces: list[bytes]
) -> None:
    decoder = Decoder(coding)

    for piece in pieces:
        had_problem = decoder.problem is not None
        decoded = decoder.decode(piece)
        assert not (had_problem and decoded)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_after_garbage_there_is_nothing_more(coding: str) -> None:
    decoder = Decoder(coding)

    assert decoder.decode(b"\x06not compressed at all, not even a little" * 3) == b""
    assert decoder.problem is not None
    assert decoder.problem.startswith("cannot be decoded: ")
    assert decoder.decode(gzip.compress(b"x")) == b""


def test_an_unknown_coding_is_said_so() -> None:
    decoder = Decoder("gzip, Compress")

    assert decoder.decode(b"anything") == b""
    assert decoder.problem == "unknown content-encoding 'compress'"


def test_what_follows_the_end_of_a_body_is_left_out() -> None:
    decoder = Decoder("gzip")

    assert decoder.decode(gzip.compress(b"all") + b"trailing") == b"all"
    assert decoder.decode(b"more" * 1000) == b""
    assert decoder.problem is None


def test_without_the_brotli_package_br_is_an_unknown_coding(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "brotli", None)

    assert Decoder("br").problem == "unknown content-encoding 'br'"


MEGABYTE = 1024 * 1024
OVER = "decoded size is over the limit"


@pytest.mark.parametrize("name", ["gzip", "deflate", "raw deflate", "br", "zstd", "stacked"])
def test_a_bomb_gives_nothing_and_does_not_fill_the_memory_first(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    coding, encode = ENCODERS[name]
    monkeypatch.setattr(content_coding, "MAX_BYTES", 8 * MEGABYTE)
    bomb = encode(bytes(128 * MEGABYTE))
    decoder = Decoder(coding)

    tracemalloc.start()
    decoded = decoder.decode(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert (decoded, decoder.problem) == (b"", OVER)
    assert peak < 48 * MEGABYTE
    assert decoder.decode(bomb) == b""


def test_more_than_two_hundred_to_one_is_a_bomb_beyond_the_first_megabyte() -> None:
    one_megabyte, two_megabytes = gzip.compress(bytes(MEGABYTE)), gzip.compress(bytes(2 * MEGABYTE))

    assert len(Decoder("gzip").decode(one_megabyte)) == MEGABYTE
    assert Decoder("gzip").decode(two_megabytes) == b""


def test_a_long_body_that_is_no_bomb_is_decoded_up_to_the_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(content_coding, "MAX_BYTES", 3 * MEGABYTE)
    noise = random.Random(7).randbytes(MEGABYTE)
    compressor, decoder = zlib.compressobj(wbits=31), Decoder("gzip")

    def wire() -> bytes:
        return compressor.compress(noise) + compressor.flush(zlib.Z_FULL_FLUSH)

    assert [len(decoder.decode(wire())) for _ in range(4)] == [MEGABYTE] * 3 + [0]
    assert decoder.problem == OVER
