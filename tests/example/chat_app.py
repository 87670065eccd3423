"""A small chat application: it streams, calls tools, tries again, and asks in parallel."""

import asyncio
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from openai import AsyncOpenAI, BadRequestError, OpenAI

MODEL = "tiny"
HELPFUL = "You are a helpful assistant."
BRIEF = "Answer in one word."

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "enum": ["Rome", "Oslo"]}},
            "required": ["city"],
        },
    },
}


def get_weather(city):
    """What a tool would look up somewhere."""
    return {"Rome": "sunny", "Oslo": "snow"}[city]


class Chat:
    """One conversation."""

    def __init__(self, client: OpenAI | None = None) -> None:
        self.client = client or OpenAI()
        self.messages = [{"role": "system", "content": HELPFUL}]

    def _create(self, **given):
        return self.client.chat.completions.create(
            **{"model": MODEL, "max_tokens": 24, "seed": 1, **given}
        )

    def say(self, text: str) -> Iterator[str]:
        """Ask, and give the answer as it comes."""
        self.messages.append({"role": "user", "content": text})
        answer = ""
        for event in self._create(messages=self.messages, stream=True):
            if event.choices and (piece := event.choices[0].delta.content):
                answer += piece
                yield piece
        self.messages.append({"role": "assistant", "content": answer})

    def ask_agent(self, question: str, most_turns: int = 4) -> list[str]:
        """Let the model call tools until it has an answer; what was called, and that."""
        done = []
        self.messages.append({"role": "user", "content": question})
        for turn in range(most_turns):
            answer = self._create(
                messages=self.messages,
                tools=[WEATHER],
                tool_choice="required" if turn < 2 else "none",
                max_tokens=64,
            )
            message = answer.choices[0].message
            self.messages.append(message.to_dict())
            if not message.tool_calls:
                return [*done, message.content]
            for call in message.tool_calls:
                found = get_weather(**json.loads(call.function.arguments))
                done.append(f"{call.function.name}: {found}")
                self.messages.append({"role": "tool", "tool_call_id": call.id, "content": found})
        return done

    def sum_up(self, text: str) -> tuple[str, int]:
        """A text in a few words; one that is too long is halved until it fits."""
        halved = 0
        while True:
            try:
                asked = [{"role": "user", "content": f"{BRIEF} {text}"}]
                return self._create(messages=asked).choices[0].message.content, halved
            except BadRequestError:
                text, halved = text[: len(text) // 2], halved + 1

    def whole_answer(self, question: str) -> tuple[str, int]:
        """An answer that was not cut off; each try may be longer than the one before."""
        asked = [{"role": "user", "content": question}]
        for tries, most in enumerate((2, 4, 400), 1):
            choice = self._create(
                messages=asked, max_tokens=most, response_format={"type": "json_object"}
            ).choices[0]
            if choice.finish_reason != "length":
                return choice.message.content, tries
        return "", tries

    def compare(self, questions: list[str], each: Callable[[str], str] | None = None) -> list[str]:
        """Several questions at once."""
        with ThreadPoolExecutor(4) as pool:
            return list(pool.map(each or self._answer, questions))

    def _answer(self, question: str) -> str:
        asked = [{"role": "user", "content": f"{BRIEF} {question}"}]
        return self._create(messages=asked).choices[0].message.content


async def compare_async(questions: list[str]) -> list[str]:
    """The same, with asyncio, and a client that finds its way by itself."""
    async with AsyncOpenAI() as client:
        answers = await asyncio.gather(
            *(
                client.chat.completions.create(
                    model=MODEL,
                    max_tokens=8,
                    seed=1,
                    messages=[{"role": "user", "content": f"{BRIEF} {question}"}],
                )
                for question in questions
            )
        )
    return [answer.choices[0].message.content for answer in answers]
