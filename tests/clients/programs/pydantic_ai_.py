"""Pydantic AI."""

import asyncio
import json
import os

from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

SAID = "Tell me about lists."


async def main() -> None:
    provider = OpenAIProvider(base_url=os.environ["API"] + "/v1", api_key="sk-test")
    agent = Agent(OpenAIChatModel("tiny", provider=provider), model_settings={"seed": 7})
    plain = await agent.run(SAID)
    async with agent.run_stream(SAID) as run:
        pieces = [piece async for piece in run.stream_text(delta=True, debounce_by=None)]
    ids = [message.provider_response_id for message in plain.all_messages()[1:]]
    print(json.dumps({"plain": [plain.output, ids], "streamed": pieces}))


asyncio.run(main())
