"""Chunk tables: offsets and lengths, packed and unpacked."""

import json
from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from replayproxy.store.packing import as_json, cut, pack, unpack
from tests.builders import chunks

pairs = st.lists(st.tuples(st.integers(0, 2**62), st.integers(0, 2**40))).map(
    lambda found: sorted(found, key=lambda pair: pair[0])
)


@given(pairs)
def test_what_is_packed_is_unpacked(table: list[tuple[int, int]]) -> None:
    assert list(unpack(pack(table))) == table


@given(pairs, st.data())
def test_tables_can_be_joined(table: list[tuple[int, int]], data: st.DataObject) -> None:
    middle = data.draw(st.integers(0, len(table)))
    first, second = table[:middle], table[middle:]
    base_ns = first[-1][0] if first else 0

    assert pack(first) + pack(second, base_ns=base_ns) == pack(table)


@given(pairs, st.data())
def test_a_torn_table_gives_the_pairs_that_are_whole(
    table: list[tuple[int, int]], data: st.DataObject
) -> None:
    packed = pack(table)
    end = data.draw(st.integers(0, len(packed)))

    found = list(unpack(packed[:end]))

    assert found == table[: len(found)]


@given(st.binary())
def test_no_bytes_make_unpacking_raise(table: bytes) -> None:
    for offset_ns, length in unpack(table):
        assert (offset_ns >= 0, length >= 0) == (True, True)


def test_a_chunk_that_came_before_its_predecessor_gets_the_same_time() -> None:
    assert list(unpack(pack([(7, 1), (5, 2), (9, 3)]))) == [(7, 1), (7, 2), (9, 3)]
    assert list(unpack(pack([(-1, 1)]))) == [(0, 1)]


def test_a_chunk_of_a_stream_costs_about_six_bytes() -> None:
    twenty_ms_apart = [(20_000_000 * number, 200) for number in range(1000)]

    assert len(pack(twenty_ms_apart)) < 6_100


@given(st.lists(st.tuples(st.integers(0, 2**40), st.binary(max_size=9))))
def test_a_body_is_cut_as_it_arrived(arrived: list[tuple[int, bytes]]) -> None:
    offsets = accumulate(gap for gap, _ in arrived)
    expected = chunks(*zip(offsets, (data for _, data in arrived), strict=True))
    table = pack((chunk.offset_ns, len(chunk.data)) for chunk in expected)

    assert cut(b"".join(chunk.data for chunk in expected), table) == expected


def test_the_view_gets_a_table_as_json() -> None:
    assert json.loads(as_json(pack([(5, 3), (300, 2)]))) == [[5, 3], [300, 2]]
    assert as_json(None) == "[]"
    assert as_json(b"") == "[]"
