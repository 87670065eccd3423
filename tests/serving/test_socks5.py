"""The server's side of a SOCKS5 handshake."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replayproxy.serving.socks5 import Handshake

GREETING = bytes([5, 2, 0, 2])
BY_NAME = bytes([5, 1, 0, 3, 14]) + b"api.openai.com" + (443).to_bytes(2)
BY_V4 = bytes([5, 1, 0, 1, 192, 0, 2, 1, 0, 80])
BY_V6 = bytes([5, 1, 0, 4]) + bytes(15) + bytes([1]) + (8080).to_bytes(2)
OPEN = bytes([5, 0, 0, 1, 0, 0, 0, 0, 0, 0])


@pytest.mark.parametrize(
    ("request_bytes", "target"),
    [
        (BY_NAME, ("api.openai.com", 443)),
        (BY_V4, ("192.0.2.1", 80)),
        (BY_V6, ("::1", 8080)),
    ],
)
@given(cut=st.lists(st.integers(0, 40), max_size=5))
def test_a_client_says_where_it_wants_to_go_however_it_is_cut(
    request_bytes: bytes, target: tuple[str, int], cut: list[int]
) -> None:
    wire = GREETING + request_bytes + b"rest"
    edges = [0, *sorted(min(edge, len(wire)) for edge in cut), len(wire)]
    handshake, answer = Handshake(), b""

    for start, end in pairwise(edges):
        answer += handshake.receive(wire[start:end])

    assert answer == b"\x05\x00" + OPEN
    assert (handshake.target, handshake.rest(), handshake.refused) == (target, b"rest", False)


@pytest.mark.parametrize(
    ("wire", "answer"),
    [
        (bytes([5, 1, 2]), bytes([5, 0xFF])),  # only with a password
        (GREETING + bytes([5, 2, 0, 1, 0, 0, 0, 0, 0, 0]), bytes([5, 0, 5, 7])),  # BIND
        (GREETING + bytes([5, 1, 0, 9, 0, 0, 0]), bytes([5, 0, 5, 8])),  # no such address
        (GREETING + bytes([5, 1, 0, 3, 1, 0xFF, 0, 80]), bytes([5, 0, 5, 8])),
        (GREETING + bytes([4, 1, 0, 1, 0, 0, 0, 0, 0, 0]), bytes([5, 0, 5, 7])),
    ],
)
def test_what_we_don_t_do_is_refused(wire: bytes, answer: bytes) -> None:
    handshake = Handshake()

    said = handshake.receive(wire)

    assert handshake.refused
    assert said.startswith(answer)
    assert handshake.target is None


@given(st.binary(max_size=300))
def test_nothing_on_the_wire_makes_it_raise(data: bytes) -> None:
    Handshake().receive(b"\x05" + data)
