"""LangChain's ChatOpenAI."""

import json
import os

from langchain_openai import ChatOpenAI

model = ChatOpenAI(
    base_url=os.environ["API"] + "/v1", api_key="sk-test", model="tiny", max_tokens=40, seed=7
)
said = "Tell me about lists."
plain = model.invoke(said)
streamed = list(model.stream(said))
print(
    json.dumps(
        {
            "plain": [plain.content, plain.response_metadata.get("id")],
            "streamed": [[piece.content, piece.response_metadata] for piece in streamed],
        }
    )
)
