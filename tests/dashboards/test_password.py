"""The password of an exposed dashboard: who knows it gets in, who guesses is slowed down."""

import asyncio
import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replayproxy.dashboard.password import FREE_TRIES, MAX_KNOWN, PasswordGuard
from replayproxy.dashboard.web_guard import Message, Receive, Scope, Send

PASSWORD = "correct horse: päßwort"


async def inside(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"inside"})


class Visitor:
    """Asks a guarded application, from one address, at a time that does not pass by itself."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.guard = PasswordGuard(inside, PASSWORD, clock=lambda: self.now_s)

    def ask(
        self, password: str | None = None, *, client: str = "192.0.2.1", raw: bytes | None = None
    ) -> tuple[int, dict[bytes, bytes], bytes]:
        sent: list[Any] = []
        if password is not None:
            raw = b"Basic " + base64.b64encode(f"anyone:{password}".encode())
        headers = [] if raw is None else [(b"Authorization", raw)]
        scope = {"type": "http", "method": "GET", "headers": headers, "client": (client, 1)}

        async def receive() -> Message:
            return {"type": "http.request"}

        async def send(message: Message) -> None:
            sent.append(message)

        asyncio.run(self.guard(scope, receive, send))
        return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"]

    def status(self, password: str | None = None, **more: Any) -> int:
        return self.ask(password, **more)[0]


def test_only_the_password_opens_it() -> None:
    visitor = Visitor()

    status, headers, body = visitor.ask()
    assert (status, b"inside" in body) == (401, False)
    assert headers[b"www-authenticate"] == b'Basic realm="replayproxy", charset="UTF-8"'
    assert headers[b"cache-control"] == b"no-store"
    assert visitor.status(PASSWORD) == 200
    assert visitor.status(PASSWORD + " ") == 401
    assert visitor.status("") == 401


def test_who_guesses_waits_longer_each_time_even_for_the_right_one() -> None:
    visitor = Visitor()
    for _ in range(FREE_TRIES):
        assert visitor.status("guess") == 401

    status, headers, _ = visitor.ask(PASSWORD)
    assert (status, headers[b"retry-after"]) == (429, b"1")
    visitor.now_s += 1
    assert visitor.status("guess") == 401
    assert visitor.ask(PASSWORD)[1][b"retry-after"] == b"2"
    visitor.now_s += 2
    assert visitor.status(PASSWORD) == 200
    assert visitor.status("guess") == 401  # forgiven: all tries are free again
    assert visitor.status(PASSWORD) == 200


def test_looking_without_a_password_is_no_guess() -> None:
    visitor = Visitor()
    for _ in range(50):
        assert visitor.status() == 401

    assert visitor.status(PASSWORD) == 200


def test_others_do_not_wait_for_who_guesses() -> None:
    visitor = Visitor()
    for _ in range(FREE_TRIES):
        visitor.status("guess", client="2001:db8::1")

    assert visitor.status(PASSWORD, client="2001:db8::ffff") == 429  # the same network
    assert visitor.status(PASSWORD, client="2001:db8:1::1") == 200


def test_the_wait_has_an_end_and_the_memory_a_size() -> None:
    visitor = Visitor()
    for number in range(3 * MAX_KNOWN):
        visitor.status("guess", client=f"192.0.2.{number}")
    for _ in range(40):
        visitor.now_s += 300
        assert visitor.status("guess") == 401

    assert len(visitor.guard._failures._known) <= MAX_KNOWN


@given(raw=st.one_of(st.binary(), st.binary().map(lambda data: b"Basic " + data)))
def test_no_header_is_an_error(raw: bytes) -> None:
    assert Visitor().status(raw=raw) == 401


@pytest.mark.parametrize("raw", [b"Bearer x", b"Basic", b"Basic \xff", b"Basic Og", b"basic Og=="])
def test_what_is_no_password_opens_nothing(raw: bytes) -> None:
    assert Visitor().status(raw=raw) == 401
