"""curl; what it gets is parsed here."""

import json
import os
import subprocess

ASK = {"model": "tiny", "messages": [{"role": "user", "content": "Tell me about lists."}],
       "max_tokens": 40, "seed": 7}  # fmt: skip


def curl(body: dict[str, object]) -> str:
    command = ["curl", "--silent", "--show-error", "--fail", "--no-buffer"]
    command += ["--header", "Authorization: Bearer sk-test", "--json", json.dumps(body)]
    command += [os.environ["API"] + "/v1/chat/completions"]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


plain = json.loads(curl(ASK))
lines = curl({**ASK, "stream": True}).splitlines()
events = [line.removeprefix("data: ") for line in lines if line.startswith("data: {")]
print(json.dumps({"plain": plain, "streamed": [json.loads(event) for event in events]}))
