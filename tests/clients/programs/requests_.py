"""requests."""

import json
import os

import requests

ASK = {"model": "tiny", "messages": [{"role": "user", "content": "Tell me about lists."}],
       "max_tokens": 40, "seed": 7}  # fmt: skip
URL = os.environ["API"] + "/v1/chat/completions"
KEY = {"Authorization": "Bearer sk-test"}

with requests.Session() as session:
    plain = session.post(URL, json=ASK, headers=KEY, timeout=30)
    plain.raise_for_status()
    with session.post(
        URL, json={**ASK, "stream": True}, headers=KEY, stream=True, timeout=30
    ) as answer:
        answer.raise_for_status()
        lines = [line.decode() for line in answer.iter_lines()]
print(json.dumps({"plain": plain.text, "streamed": lines}))
