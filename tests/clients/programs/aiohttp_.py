"""aiohttp, which minds proxy variables only if it is told to."""

import asyncio
import json
import os

import aiohttp

ASK = {"model": "tiny", "messages": [{"role": "user", "content": "Tell me about lists."}],
       "max_tokens": 40, "seed": 7}  # fmt: skip
URL = os.environ["API"] + "/v1/chat/completions"


async def main() -> None:
    key = {"Authorization": "Bearer sk-test"}
    async with aiohttp.ClientSession(headers=key, trust_env=True, raise_for_status=True) as session:
        async with session.post(URL, json=ASK) as answer:
            plain = await answer.text()
        async with session.post(URL, json={**ASK, "stream": True}) as answer:
            lines = [line.decode() async for line in answer.content]
    print(json.dumps({"plain": plain, "streamed": lines}))


asyncio.run(main())
