"""The anthropic SDK."""

import json
import os

from anthropic import Anthropic

ASK = {
    "model": "tiny",
    "messages": [{"role": "user", "content": "Tell me about lists."}],
    "max_tokens": 40,
}

with Anthropic(base_url=os.environ["API"], api_key="sk-test", max_retries=0) as client:
    plain = client.messages.create(**ASK).model_dump(mode="json")
    with client.messages.stream(**ASK) as stream:
        pieces = list(stream.text_stream)
        whole = stream.get_final_message().model_dump(mode="json")
print(json.dumps({"plain": plain, "streamed": [pieces, whole]}))
