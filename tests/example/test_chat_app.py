"""Tests of a chat application, recorded once, and free, fast and offline from then on."""

import asyncio
import subprocess
import sys

import pytest
from chat_app import Chat, compare_async
from openai import OpenAI

pytestmark = pytest.mark.replay


@pytest.fixture
def chat(replayproxy):
    with OpenAI(base_url=replayproxy.base_url, api_key=replayproxy.api_key) as client:
        yield Chat(client)


def test_an_answer_is_streamed(chat, replayproxy):
    pieces = list(chat.say("What is a list?"))

    assert len(pieces) > 1
    assert replayproxy.exchanges[0].text == "".join(pieces)
    assert replayproxy.exchanges[0].time_to_first_chunk.total_seconds() > 0


def test_a_conversation_goes_on(chat, replayproxy):
    for text in ("Hello!", "And then?", "Bye."):
        list(chat.say(text))

    asked = [len(exchange.request.json["messages"]) for exchange in replayproxy.exchanges]
    assert asked == [2, 4, 6]


def test_the_agent_calls_tools_until_it_has_an_answer(chat, replayproxy):
    *called, answer = chat.ask_agent("How is the weather in Rome and Oslo?")

    assert {call.partition(":")[0] for call in called} == {"get_weather"}
    assert replayproxy.exchanges[0].tool_calls[0].name == "get_weather"
    assert replayproxy.exchanges[-1].text == answer


def test_a_text_that_is_too_long_is_halved(chat, replayproxy):
    summary, halved = chat.sum_up("So it goes. " * 200)

    assert summary
    assert halved >= 1
    assert [e.status for e in replayproxy.exchanges] == [400] * halved + [200]


def test_an_answer_that_was_cut_off_is_asked_for_again(chat, replayproxy):
    _, tries = chat.whole_answer("Tell me all.")

    assert tries > 1
    assert [e.finish_reason for e in replayproxy.exchanges][:1] == ["length"]


@pytest.mark.parametrize("count", [2, 8])
def test_questions_are_asked_at_once(chat, replayproxy, count):
    questions = [f"Is {number} prime?" for number in range(count)]

    answers = chat.compare(questions)

    said = {e.request.json["messages"][0]["content"]: e.text for e in replayproxy.exchanges}
    assert answers == [said[f"Answer in one word. {question}"] for question in questions]


def test_asyncio_and_a_client_that_finds_its_way_by_itself():
    assert len(asyncio.run(compare_async(["Is it?", "Is it not?"]))) == 2


class TestPrograms:
    def test_a_program_is_answered_too(self, replayproxy):
        code = "from chat_app import Chat; print(''.join(Chat().say('Are you a program?')))"

        ran = subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True
        )

        assert ran.stdout == replayproxy.exchanges[0].text + "\n"
