"""LiteLLM, the library."""

import json
import os

# or it asks another host for its prices, which a replay has no answer to
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm

ASK = {
    "model": "openai/tiny",
    "messages": [{"role": "user", "content": "Tell me about lists."}],
    "max_tokens": 40,
    "seed": 7,
    "api_base": os.environ["API"] + "/v1",
    "api_key": "sk-test",
    "num_retries": 0,
}

plain = litellm.completion(**ASK)
streamed = [
    [chunk.id, chunk.choices[0].delta.content] for chunk in litellm.completion(stream=True, **ASK)
]
print(json.dumps({"plain": [plain.id, plain.choices[0].message.content], "streamed": streamed}))
