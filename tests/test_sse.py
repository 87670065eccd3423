"""The decoder, against examples, against the letter of the standard, and cut anywhere."""

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replayproxy.sse import ServerSentEvent, SSEDecoder


def decode(*pieces: bytes) -> list[ServerSentEvent]:
    decoder = SSEDecoder()
    return [event for piece in pieces for event in decoder.feed(piece)] + decoder.flush()


def data_of(*pieces: bytes) -> list[str]:
    return [event.data for event in decode(*pieces)]


@pytest.mark.parametrize("newline", [b"\n", b"\r", b"\r\n"])
def test_every_kind_of_line_break_ends_a_line(newline: bytes) -> None:
    body = newline.join([b"data: 1", b"", b"data: 2", b"data: 3", b"", b""])

    assert data_of(body) == ["1", "2\n3"]
    assert data_of(*(bytes([byte]) for byte in body)) == ["1", "2\n3"]


def test_a_crlf_cut_in_two_is_one_break() -> None:
    assert data_of(b"data: 1\r", b"\ndata: 2\r", b"\n\r", b"\n") == ["1\n2"]


def test_a_carriage_return_ends_the_event_before_the_next_byte_comes() -> None:
    decoder = SSEDecoder()

    assert [event.data for event in decoder.feed(b"data: 1\r\r")] == ["1"]
    assert decoder.feed(b"") == []
    assert decoder.feed(b"\n") == []
    assert decoder.flush() == []


@pytest.mark.parametrize(
    "pieces", [(b"\xef\xbb\xbfdata: 1\n\n",), (b"\xef", b"\xbb", b"\xbfdata: 1\n\n")]
)
def test_a_byte_order_mark_at_the_start_is_not_part_of_the_first_field(
    pieces: tuple[bytes, ...],
) -> None:
    assert data_of(*pieces) == ["1"]


def test_a_byte_order_mark_later_on_is_part_of_the_field() -> None:
    assert data_of(b"\xef\xbb\xbf\xef\xbb\xbfdata: 1\n\n\xef\xbb\xbfdata: 2\n\n") == []


def test_comments_are_not_events() -> None:
    assert data_of(b": OPENROUTER PROCESSING\n\n:\n\ndata: 1\n: in between\ndata: 2\n\n") == [
        "1\n2"
    ]


@pytest.mark.parametrize("line", [b"retry: 100", b"id: 7", b"event: ping", b"unknown: 1", b": x"])
def test_a_block_without_data_is_not_an_event(line: bytes) -> None:
    assert decode(line + b"\n\n") == []
    assert decode(line) == []


def test_the_name_of_a_block_without_data_is_forgotten() -> None:
    assert decode(b"event: ping\n\ndata: 1\n\n") == [ServerSentEvent(event="message", data="1")]


def test_all_fields_are_read() -> None:
    body = b"event: delta\nid: 7\nretry: 250\ndata: 1\n\ndata: 2\n\n"

    assert decode(body) == [
        ServerSentEvent(event="delta", data="1", id="7", retry_ms=250),
        ServerSentEvent(event="message", data="2", id="7", retry_ms=None),
    ]


def test_an_empty_id_resets_it_and_one_with_nul_is_ignored() -> None:
    body = b"id: 7\ndata: 1\n\nid: \x008\ndata: 2\n\nid\ndata: 3\n\n"

    assert [event.id for event in decode(body)] == ["7", "7", ""]


@pytest.mark.parametrize("value", [b"-1", b"1.5", b"x", b"", "١".encode(), b"9" * 5000])
def test_a_retry_that_is_no_plain_number_is_ignored(value: bytes) -> None:
    assert decode(b"retry: " + value + b"\ndata: 1\n\n") == [ServerSentEvent(data="1")]


@pytest.mark.parametrize(
    ("line", "data"),
    [
        (b"data:1", "1"),
        (b"data: 1", "1"),
        (b"data:  1 ", " 1 "),
        (b"data:\t1", "\t1"),
        (b"data: a: b", "a: b"),
        (b"data:", ""),
        (b"data", ""),
    ],
)
def test_exactly_one_leading_space_is_stripped(line: bytes, data: str) -> None:
    assert data_of(line + b"\n\n") == [data]


@pytest.mark.parametrize("line", [b" data: 1", b"Data: 1", b"data : 1", b"\x00data: 1", b"dat"])
def test_a_field_is_known_by_its_exact_name(line: bytes) -> None:
    assert decode(line + b"\n\n") == []


def test_empty_data_lines_are_kept() -> None:
    assert data_of(b"data\ndata\n\ndata: 1\ndata:\n\n") == ["\n", "1\n"]


def test_utf8_torn_between_pieces_is_whole() -> None:
    assert data_of(b"data: \xf0\x9f", b"\x98\x80\n\n") == ["\N{GRINNING FACE}"]


def test_invalid_utf8_becomes_replacement_characters() -> None:
    assert data_of(b"data: a\xff\xe2\x82\ndata: \xed\xa0\x80\n\n") == [
        "a\ufffd\ufffd\n\ufffd\ufffd\ufffd"
    ]


def test_nul_and_unicode_separators_do_not_break_lines() -> None:
    text = "a\x00b\u2028c\u2029d\x0be\x0cf\x85g\x1ch"

    assert data_of(f"data: {text}\n\n".encode()) == [text]


@pytest.mark.parametrize("tail", [b"data: 1", b"data: 1\n", b"data: 1\r"])
def test_a_tail_without_its_blank_line_is_an_event_that_says_so(tail: bytes) -> None:
    assert decode(b"data: 0\n\n" + tail) == [
        ServerSentEvent(data="0"),
        ServerSentEvent(data="1", unterminated=True),
    ]


def test_nothing_comes_of_nothing() -> None:
    assert decode() == []
    assert decode(b"\xef\xbb\xbf") == []


def test_an_event_of_eight_megabytes_in_small_pieces_takes_linear_time() -> None:
    body = b"data: " + b"x" * (8 << 20) + b"\n\n"
    started = time.perf_counter()

    events = decode(*(body[at : at + 1024] for at in range(0, len(body), 1024)))

    assert [len(event.data) for event in events] == [8 << 20]
    assert time.perf_counter() - started < 5  # 0.05 s; joining anew for each piece takes minutes


def decode_by_the_standard(body: bytes) -> list[ServerSentEvent]:
    """WHATWG HTML 9.2.6 to the letter, on the whole body at once, plus the flush."""
    text = body.decode("utf-8", "replace").removeprefix("\ufeff")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    data, event_type, retry_ms = "", "", None
    last_event_id: str | None = None
    events = []
    for number, line in enumerate([*lines, ""], 1):
        if line == "":
            if data != "":
                events.append(
                    ServerSentEvent(
                        event=event_type or "message",
                        data=data.removesuffix("\n"),
                        id=last_event_id,
                        retry_ms=retry_ms,
                        unterminated=number >= len(lines),
                    )
                )
            data, event_type, retry_ms = "", "", None
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            event_type = value
        elif field == "data":
            data += value + "\n"
        elif field == "id" and "\0" not in value:
            last_event_id = value
        elif field == "retry" and value.isascii() and value.isdigit():
            retry_ms = int(value)
    return events


bodies = st.lists(
    st.sampled_from(
        [b"data", b"event", b"id", b"retry", b":", b": ", b" ", b"\n", b"\r", b"\r\n", b"\n\n"]
        + [b"data: ", b"\xef\xbb\xbf", "é".encode(), b"\xf0\x9f\x98\x80", b"\xe2\x80\xa8"]
        + [b"\0", b"\xff", b"7", b"x", b"\x85"]
    )
    | st.binary(max_size=4),
    max_size=40,
).map(b"".join)


@given(bodies)
def test_the_events_are_those_of_the_standard(body: bytes) -> None:
    assert decode(body) == decode_by_the_standard(body)


@given(bodies, st.data())
def test_the_events_are_the_same_however_the_bytes_are_cut(
    body: bytes, data: st.DataObject
) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=len(body) + 1)))
    pieces = [body[start:end] for start, end in pairwise([0, *cuts, len(body)])]

    assert decode(*pieces) == decode(body)


@given(st.lists(st.binary()))
def test_no_bytes_make_it_raise(pieces: list[bytes]) -> None:
    decode(*pieces)
