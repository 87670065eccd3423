"""Who serves which host: names as OpenTelemetry's `gen_ai.provider.name` has them."""

_HOSTS = {
    "api.aigateway.sh": "aigateway",
    "media.aigateway.sh": "aigateway",
    "api.openai.com": "openai",
    "api.anthropic.com": "anthropic",
    "generativelanguage.googleapis.com": "gcp.gemini",
    "aiplatform.googleapis.com": "gcp.vertex_ai",
    "api.mistral.ai": "mistral_ai",
    "api.groq.com": "groq",
    "api.deepseek.com": "deepseek",
    "api.x.ai": "x_ai",
    "api.perplexity.ai": "perplexity",
    "api.cohere.com": "cohere",
    "api.together.ai": "together",
    "api.together.xyz": "together",
    "api.fireworks.ai": "fireworks",
    "api.cerebras.ai": "cerebras",
    "openrouter.ai": "openrouter",
}
_SUFFIXES = {
    ".openai.azure.com": "azure.ai.openai",
    ".services.ai.azure.com": "azure.ai.inference",
    "-aiplatform.googleapis.com": "gcp.vertex_ai",
    ".aigateway.sh": "aigateway",
}
_LLM_PATHS = (
    "/chat/completions",
    "/completions",
    "/embeddings",
    "/messages",
    "/responses",
    "/v1/models",
    ":generateContent",
    ":streamGenerateContent",
)


def provider_of(host: str) -> str | None:
    """The provider behind a host; None when it is not known.

    >>> provider_of("api.openai.com"), provider_of("me.openai.azure.com"), provider_of("localhost")
    ('openai', 'azure.ai.openai', None)
    """
    host = host.lower()
    if host in _HOSTS:
        return _HOSTS[host]
    return next((name for suffix, name in _SUFFIXES.items() if host.endswith(suffix)), None)


def is_llm_traffic(host: str, path: str) -> bool:
    """Whether a request looks like one to an LLM API, by its host or else by its path.

    >>> is_llm_traffic("127.0.0.1", "/v1/chat/completions"), is_llm_traffic("example.com", "/")
    (True, False)
    """
    return provider_of(host) is not None or path.rstrip("/").endswith(_LLM_PATHS)
