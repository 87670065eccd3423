"""The llm tool's library."""

import json
import os
import tempfile

os.environ["LLM_USER_PATH"] = tempfile.mkdtemp()

from llm.default_plugins.openai_models import Chat  # it reads that folder

model = Chat("tiny", model_name="tiny", api_base=os.environ["API"] + "/v1")
said = {"prompt": "Tell me about lists.", "key": "sk-test", "max_tokens": 40, "seed": 7}
plain = model.prompt(stream=False, **said)
text = plain.text()
streamed = list(model.prompt(stream=True, **said))
print(json.dumps({"plain": [text, plain.response_json["id"]], "streamed": streamed}))
