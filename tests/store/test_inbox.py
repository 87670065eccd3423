"""Tapes reach the writer, none is forgotten, and nobody is woken for each."""

import threading
from datetime import UTC, datetime

from replayproxy.store.inbox import Inbox
from replayproxy.store.tape import Tape
from tests.builders import a_request


def a_tape() -> Tape:
    return Tape(
        fits=lambda size: True,
        submit=lambda tape, size: None,
        request=a_request(),
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
        cassette="default",
    )


def test_what_was_put_is_gathered_in_its_order_and_once() -> None:
    inbox, tapes = Inbox(), [a_tape() for _ in range(3)]

    for tape in tapes:
        inbox.put(tape)

    assert inbox.wait(None)
    assert inbox.gather(0) == tapes
    assert inbox.gather(0) == []
    assert not inbox.wait(0)


def test_what_comes_after_the_last_look_is_news_again() -> None:
    inbox, first, second = Inbox(), a_tape(), a_tape()

    inbox.put(first)
    inbox.gather(0)
    inbox.put(second)

    assert inbox.wait(0)
    assert inbox.gather(0) == [second]


def test_closing_ends_the_waiting_and_the_gathering() -> None:
    inbox, tape = Inbox(), a_tape()
    gathered: list[list[Tape]] = []

    def work() -> None:
        inbox.wait(None)
        gathered.append(inbox.gather(3600))

    worker = threading.Thread(target=work)
    worker.start()
    inbox.put(tape)
    inbox.close()
    worker.join()

    assert gathered == [[tape]]
    assert inbox.closed
    assert inbox.wait(None)


def test_nothing_is_lost_while_one_gathers_and_many_put() -> None:
    inbox = Inbox()
    gathered: list[Tape] = []
    tapes = [[a_tape() for _ in range(500)] for _ in range(4)]

    def put(some: list[Tape]) -> None:
        for tape in some:
            inbox.put(tape)

    putting = [threading.Thread(target=put, args=(some,)) for some in tapes]
    for thread in putting:
        thread.start()
    while len(gathered) < 2_000:
        assert inbox.wait(20)
        gathered += inbox.gather(0)
    for thread in putting:
        thread.join()

    assert {id(tape) for tape in gathered} == {id(tape) for some in tapes for tape in some}
