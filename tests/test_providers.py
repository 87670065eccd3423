"""Who serves which host."""

import pytest

from replayproxy.providers import is_llm_traffic, provider_of


@pytest.mark.parametrize(
    ("host", "provider"),
    [
        ("api.aigateway.sh", "aigateway"),
        ("media.aigateway.sh", "aigateway"),
        ("eu.aigateway.sh", "aigateway"),
        ("api.openai.com", "openai"),
        ("API.OpenAI.com", "openai"),
        ("api.anthropic.com", "anthropic"),
        ("me.openai.azure.com", "azure.ai.openai"),
        ("me.services.ai.azure.com", "azure.ai.inference"),
        ("us-central1-aiplatform.googleapis.com", "gcp.vertex_ai"),
        ("generativelanguage.googleapis.com", "gcp.gemini"),
        ("openrouter.ai", "openrouter"),
        ("openai.com", None),
        ("api.openai.com.example", None),
        ("notaigateway.sh", None),
        ("localhost", None),
        ("", None),
    ],
)
def test_a_provider_is_known_by_its_host(host: str, provider: str | None) -> None:
    assert provider_of(host) == provider


@pytest.mark.parametrize(
    ("host", "path", "is_llm"),
    [
        ("api.openai.com", "/anything", True),
        ("127.0.0.1", "/v1/chat/completions", True),
        ("127.0.0.1", "/v1/chat/completions/", True),
        ("127.0.0.1", "/api/v1/messages", True),
        ("127.0.0.1", "/v1/responses", True),
        ("127.0.0.1", "/v1/embeddings", True),
        ("127.0.0.1", "/v1/models", True),
        ("127.0.0.1", "/v1beta/models/gemini-2.5-pro:streamGenerateContent", True),
        ("127.0.0.1", "/v1/models/gpt-4o", False),
        ("example.com", "/", False),
        ("example.com", "", False),
    ],
)
def test_llm_traffic_is_known_by_its_host_or_else_by_its_path(
    host: str, path: str, is_llm: bool
) -> None:
    assert is_llm_traffic(host, path) is is_llm
