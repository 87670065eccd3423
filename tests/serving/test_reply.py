"""The bytes of each write of an answer, and where the connection stands after them."""

import json
import math
from typing import Any

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replayproxy.model import Chunk, Ending, Headers, Outcome, Request
from replayproxy.playback import Pace, Write
from replayproxy.redaction import FINGERPRINT_PREFIX
from replayproxy.serving.reply import Reply, problem, recorded
from replayproxy.session import Hit
from tests.builders import EVENTS, a_head, a_request, an_exchange, chunks

CHUNKED: Headers = (*EVENTS, ("transfer-encoding", "chunked"))
ONE_TWO = chunks((2_000, b"one"), (2_000, b""), (2_000, b"two!"), (3_000, b"three"))
BROKEN: dict[str, Any] = {"outcome": Outcome.UPSTREAM_CLOSED, "ending": Ending.UPSTREAM_CLOSED}


def reply_to(
    request: Request | None = None,
    *body: Chunk,
    head: dict[str, Any] | None = None,
    speed: float = 1.0,
    keep_alive: bool = True,
    **exchange: Any,
) -> Reply:
    hit = Hit(exchange=an_exchange(head=a_head(**head or {}), **exchange), chunks=body)
    return recorded(hit, request or a_request(), pace=Pace(speed=speed), keep_alive=keep_alive)


def sent(reply: Reply) -> tuple[bytes, list[bytes]]:
    """The head, and then each write."""
    writes = [b"".join(write.parts) for write in reply.writes]
    return writes[0], writes[1:]


def fields(head: bytes) -> Headers:
    lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")[1:]
    return tuple((name, value) for name, _, value in (line.partition(": ") for line in lines))


MARKS: Headers = (("x-replayproxy", "hit"), ("x-replayproxy-exchange", "1"))


HEAD_OF_A_STREAM = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
    b"x-replayproxy: hit\r\nx-replayproxy-exchange: 1\r\n\r\n"
)


def test_a_chunked_body_leaves_in_its_own_writes_and_times() -> None:
    reply = reply_to(None, *ONE_TWO, head={"headers": CHUNKED}, end_offset_ns=5_000)

    assert list(reply.writes) == [
        Write(
            at_s=1e-6,
            parts=(HEAD_OF_A_STREAM,),
        ),
        Write(at_s=2e-6, parts=(b"3\r\none\r\n", b"4\r\ntwo!\r\n")),
        Write(at_s=3e-6, parts=(b"5\r\nthree\r\n",)),
        Write(at_s=5e-6, parts=(b"0\r\n\r\n",)),
    ]
    assert reply.keep_alive


def test_a_faster_replay_leaves_earlier() -> None:
    reply = reply_to(None, *ONE_TWO, head={"headers": CHUNKED}, end_offset_ns=5_000, speed=2)

    assert [write.at_s for write in reply.writes] == [5e-7, 1e-6, 1.5e-6, 2.5e-6]


def test_a_body_with_a_length_is_framed_by_it() -> None:
    headers = (("content-type", "application/json"), ("Content-Length", "12"))

    reply = reply_to(None, *ONE_TWO, head={"headers": headers})
    head, writes = sent(reply)

    assert fields(head) == (*headers, *MARKS)
    assert writes == [b"onetwo!", b"three", b""]
    assert reply.keep_alive is True


@pytest.mark.parametrize("version", ["HTTP/1.0", "HTTP/1.1"])
def test_a_body_without_either_ends_with_the_connection(version: str) -> None:
    reply = reply_to(None, *ONE_TWO, head={"http_version": version})
    head, writes = sent(reply)

    assert fields(head) == (*EVENTS, *MARKS, ("Connection", "close"))
    assert writes == [b"onetwo!", b"three", b""]
    assert not reply.keep_alive


def test_a_body_that_came_over_http2_is_chunked() -> None:
    head, writes = sent(reply_to(None, *ONE_TWO, head={"http_version": "HTTP/2.0"}))

    assert ("Transfer-Encoding", "chunked") in fields(head)
    assert writes[-1] == b"0\r\n\r\n"
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/2.0"])
def test_a_client_of_http_1_0_gets_no_chunks(version: str) -> None:
    old = a_request(http_version="HTTP/1.0")

    reply = reply_to(old, *ONE_TWO, head={"headers": CHUNKED, "http_version": version})
    head, writes = sent(reply)

    assert fields(head) == (*EVENTS, *MARKS, ("Connection", "close"))
    assert b"".join(writes) == b"onetwo!three"
    assert reply.keep_alive is False


@pytest.mark.parametrize(
    ("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304), ("POST", 199)]
)
def test_an_answer_that_may_have_no_body_has_none(method: str, status: int) -> None:
    headers = (*EVENTS, ("content-length", "12"))

    reply = reply_to(
        a_request(method=method), *ONE_TWO, head={"headers": headers, "status": status}
    )
    head, writes = sent(reply)

    assert fields(head) == (*headers, *MARKS)
    assert writes == []
    assert reply.keep_alive is True


def test_what_belongs_to_the_old_connection_is_dropped() -> None:
    dropped = """Connection Keep-Alive Proxy-Connection Proxy-Authenticate TE Trailer
        Transfer-Encoding Upgrade Alt-Svc X-ReplayProxy x-replayproxy-exchange""".split()
    headers = (("Date", "then"), *((name, "x") for name in dropped), ("x-request-id", "req-1"))

    head, _ = sent(reply_to(None, head={"headers": headers, "http_version": "HTTP/2.0"}))

    assert fields(head) == (
        ("Date", "then"),
        ("x-request-id", "req-1"),
        ("Transfer-Encoding", "chunked"),
        *MARKS,
    )


def test_a_fingerprint_is_not_passed_off_as_the_header() -> None:
    headers = (
        ("set-cookie", FINGERPRINT_PREFIX + "0123456789abcdef"),
        ("x-unknown", "said by an addon"),
        ("server", FINGERPRINT_PREFIX + "a name that is theirs"),
    )

    head, _ = sent(reply_to(None, head={"headers": headers, "http_version": "HTTP/2.0"}))

    assert fields(head)[:2] == headers[1:]


@pytest.mark.parametrize(
    ("headers", "writes"),
    [
        (CHUNKED, [b"3\r\none\r\n4\r\ntwo!\r\n", b"5\r\nthree\r\n", b""]),
        ((("content-length", "99"),), [b"onetwo!", b"three", b""]),
        # it had no framing; as a whole body without one it would pass for whole
        ((), [b"3\r\none\r\n4\r\ntwo!\r\n", b"5\r\nthree\r\n", b""]),
    ],
)
def test_a_body_that_broke_off_breaks_off_again(headers: Headers, writes: list[bytes]) -> None:
    reply = reply_to(None, *ONE_TWO, head={"headers": headers}, **BROKEN)
    head, found = sent(reply)

    assert found == writes
    assert fields(head)[-1] == ("Connection", "close")
    assert not reply.keep_alive


def test_a_stream_whose_client_left_after_its_end_is_whole() -> None:
    reply = reply_to(None, *ONE_TWO, head={"headers": CHUNKED}, ending=Ending.CLIENT_CLOSED)

    assert sent(reply)[1][-1] == b"0\r\n\r\n"
    assert reply.keep_alive


def test_a_client_that_wants_to_close_is_told_that_we_do() -> None:
    reply = reply_to(None, head={"headers": CHUNKED}, keep_alive=False)

    assert fields(sent(reply)[0])[-1] == ("Connection", "close")
    assert reply.keep_alive is False


def test_a_reason_is_what_it_was_also_none() -> None:
    assert sent(reply_to(None, head={"reason": ""}))[0].startswith(b"HTTP/1.1 200 \r\n")
    odd = sent(reply_to(None, head={"status": 599, "reason": "Caf\xe9 \u20ac"}))[0]
    assert odd.startswith(b"HTTP/1.1 599 Caf\xe9 ?\r\n")


def test_a_recording_cannot_add_lines_to_the_head() -> None:
    headers = (("x-a", "1\r\nset-cookie: mine"), ("x-b\r\nx-c", "\0"))

    head, _ = sent(reply_to(None, head={"headers": headers, "reason": "OK\r\nx-d: 1"}))

    assert head.startswith(b"HTTP/1.1 200 OKx-d: 1\r\n")
    assert fields(head)[:2] == (("x-a", "1set-cookie: mine"), ("x-bx-c", ""))


@given(
    st.lists(st.tuples(st.integers(0, 9), st.binary(max_size=9))).map(sorted),
    st.sampled_from([CHUNKED, (), (("content-length", "LENGTH"),)]),
    st.sampled_from(["HTTP/1.0", "HTTP/1.1", "HTTP/2.0"]),
    st.sampled_from(["HTTP/1.0", "HTTP/1.1"]),
    st.sampled_from([BROKEN, {}]),
)
def test_a_client_reads_the_recorded_bytes_and_whether_they_are_all(
    arrived: list[tuple[int, bytes]],
    headers: Headers,
    recorded_version: str,
    client_version: str,
    ending: dict[str, Any],
) -> None:
    body = b"".join(data for _, data in arrived)
    length = str(len(body) + bool(ending))  # a body that broke off is shorter than it said
    headers = tuple((name, value.replace("LENGTH", length)) for name, value in headers)
    reply = reply_to(
        a_request(http_version=client_version),
        *chunks(*arrived),
        head={"headers": headers, "http_version": recorded_version},
        **ending,
    )
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="POST", target="/", headers=[("Host", "a")]))
    client.send(h11.EndOfMessage())

    client.receive_data(b"".join(part for write in reply.writes for part in write.parts))
    if not reply.keep_alive:
        client.receive_data(b"")
    got = bytearray()
    whole = broken = False
    while not (whole or broken):
        try:
            event = client.next_event()
        except h11.RemoteProtocolError:
            broken = True
            break
        got += event.data if isinstance(event, h11.Data) else b""
        whole = isinstance(event, h11.EndOfMessage)

    assert bytes(got) == body
    if ending and client_version == "HTTP/1.0" and "content-length" not in dict(headers):
        return  # that client knows no way to be told
    assert whole == (not ending)


def a_problem(request: Request, *, keep_alive: bool = True) -> Reply:
    return problem(
        request,
        status=404,
        mark="miss",
        message="nothing recorded: café",
        code="replayproxy_miss",
        keep_alive=keep_alive,
    )


OPENAI_ERROR = {
    "error": {
        "message": "nothing recorded: café",
        "type": "invalid_request_error",
        "param": None,
        "code": "replayproxy_miss",
    }
}
ANTHROPIC_ERROR = {
    "type": "error",
    "error": {"type": "replayproxy_miss", "message": "nothing recorded: café"},
}


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/v1/chat/completions", OPENAI_ERROR),
        ("/v1/responses", OPENAI_ERROR),
        ("/v1/anything", OPENAI_ERROR),
        ("/v1/messages", ANTHROPIC_ERROR),
    ],
)
def test_a_problem_has_the_shape_of_the_api_that_was_asked(
    path: str, error: dict[str, Any]
) -> None:
    reply = a_problem(a_request(path=path))
    (write,) = reply.writes
    head, _, body = b"".join(write.parts).partition(b"\r\n\r\n")

    assert json.loads(body) == error
    assert head.decode().split("\r\n") == [
        "HTTP/1.1 404 Not Found",
        "content-type: application/json",
        f"content-length: {len(body)}",
        "x-replayproxy: miss",
        "x-should-retry: false",
    ]
    assert (write.at_s, reply.keep_alive) == (0, True)


def test_a_problem_of_a_head_request_has_no_body() -> None:
    (write,) = a_problem(a_request(method="HEAD")).writes

    assert b"".join(write.parts).endswith(b"x-should-retry: false\r\n\r\n")


def test_after_a_problem_the_connection_can_be_closed() -> None:
    reply = a_problem(a_request(), keep_alive=False)
    (write,) = reply.writes

    assert b"\r\nConnection: close\r\n\r\n" in b"".join(write.parts)
    assert reply.keep_alive is False


@pytest.mark.parametrize(
    ("speed", "recorded_headers", "sent_headers"),
    [
        (1, [("Retry-After", "20")], [("Retry-After", "20")]),
        (4, [("Retry-After", "19")], [("retry-after", "5")]),
        (4, [("retry-after-ms", "10")], [("retry-after-ms", "3")]),
        (math.inf, [("Retry-After", "20")], [("retry-after", "0"), ("retry-after-ms", "1")]),
        (math.inf, [("retry-after-ms", "250")], [("retry-after-ms", "1")]),
        (
            math.inf,
            [("Retry-After", "Wed, 21 Oct 2015 07:28:00 GMT")],
            [("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT")],
        ),
    ],
)
def test_who_is_told_to_wait_waits_at_the_speed_of_the_replay(
    speed: float, recorded_headers: list[tuple[str, str]], sent_headers: list[tuple[str, str]]
) -> None:
    headers = (*recorded_headers, ("content-length", "0"))

    head, _ = sent(reply_to(None, head={"status": 429, "headers": headers}, speed=speed))

    assert [pair for pair in fields(head) if pair[0].lower().startswith("retry")] == sent_headers


def test_without_waiting_a_chunked_body_leaves_at_once_with_its_chunks_apart() -> None:
    head = {"headers": CHUNKED}

    reply = reply_to(None, *ONE_TWO, head=head, end_offset_ns=5_000, speed=math.inf)

    assert list(reply.writes) == [
        Write(at_s=0, parts=(HEAD_OF_A_STREAM,)),
        Write(at_s=0, parts=(b"3\r\none\r\n", b"4\r\ntwo!\r\n", b"5\r\nthree\r\n")),
        Write(at_s=0, parts=(b"0\r\n\r\n",)),
    ]


def test_without_waiting_a_body_whose_only_borders_are_its_writes_keeps_them() -> None:
    headers = (("content-type", "application/json"), ("Content-Length", "12"))

    _, writes = sent(reply_to(None, *ONE_TWO, head={"headers": headers}, speed=math.inf))

    assert writes == [b"onetwo!", b"three", b""]
