"""Who is tried: each a program that asks plainly and streamed, and prints what it got."""

from dataclasses import dataclass
from typing import Literal

from tests.clients.environments import HERE, LITELLM, NODE, NODE_OPENAI, PYTHON, Environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One of them.

    Attributes:
        upstream: whom it asks: a genuine llama.cpp, or our stand-in for the gateway's
            other endpoints.
        quick: its environment for the reduced run, if it takes part in that.
    """

    name: str
    program: str
    environment: Environment = PYTHON
    upstream: Literal["llama", "gateway"] = "llama"
    quick: Environment | None = None


CLIENTS = (
    Client(name="openai", program="openai_sdk.py", quick=HERE),
    Client(name="anthropic", program="anthropic_sdk.py"),
    Client(name="litellm", program="litellm_.py", environment=LITELLM),
    Client(name="langchain-openai", program="langchain_openai_.py"),
    Client(name="pydantic-ai", program="pydantic_ai_.py"),
    Client(name="llm", program="llm_.py"),
    Client(name="requests", program="requests_.py", quick=HERE),
    Client(name="aiohttp", program="aiohttp_.py"),
    Client(name="httpx", program="httpx_.py", quick=HERE),
    Client(name="aigateway-py", program="aigateway_.py", upstream="gateway", quick=HERE),
    Client(name="curl", program="curl_.py", environment=HERE, quick=HERE),
    Client(name="node openai", program="node_openai.mjs", environment=NODE, quick=NODE_OPENAI),
    Client(name="node @anthropic-ai/sdk", program="node_anthropic.mjs", environment=NODE),
    Client(name="node ai", program="node_ai.mjs", environment=NODE),
    Client(name="node fetch", program="node_fetch.mjs", environment=NODE),
)
