"""httpx."""

import json
import os

import httpx

ASK = {"model": "tiny", "messages": [{"role": "user", "content": "Tell me about lists."}],
       "max_tokens": 40, "seed": 7}  # fmt: skip
URL = os.environ["API"] + "/v1/chat/completions"

with httpx.Client(headers={"Authorization": "Bearer sk-test"}, timeout=30) as client:
    plain = client.post(URL, json=ASK).raise_for_status()
    with client.stream("POST", URL, json={**ASK, "stream": True}) as answer:
        answer.raise_for_status()
        lines = list(answer.iter_lines())
print(json.dumps({"plain": plain.text, "streamed": lines}))
