"""The openai SDK."""

import json
import os

from openai import OpenAI

ASK = {
    "model": "tiny",
    "messages": [{"role": "user", "content": "Tell me about lists."}],
    "max_tokens": 40,
    "seed": 7,
}

with OpenAI(base_url=os.environ["API"] + "/v1", api_key="sk-test", max_retries=0) as client:
    create = client.chat.completions.create
    plain = create(**ASK).model_dump()
    streamed = [chunk.model_dump() for chunk in create(stream=True, **ASK)]
print(json.dumps({"plain": plain, "streamed": streamed}))
