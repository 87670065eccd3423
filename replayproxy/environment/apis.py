"""One table: which variables the SDKs of each API read their base URL and their key from.

Each variable wants another part of the URL: some the whole path (`/v1`), others add it
themselves. The table says which; it was read off the SDKs' sources.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from replayproxy.address import Upstream
from replayproxy.providers import provider_of

PLACEHOLDER_KEY = "sk-replayproxy"
"""What clients get as their key when nothing live is asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """One API.

    Attributes:
        provider: as providers.py has it.
        base_urls: variables, and the path that each wants after the origin.
        keys: variables that clients read a key from, the usual one first.
        other_credentials: variables that make a key needless.
        openai_path: where it speaks OpenAI's protocol; None: nowhere.
    """

    provider: str
    base_urls: Mapping[str, str] = field(default_factory=dict)
    keys: tuple[str, ...]
    other_credentials: tuple[str, ...] = ()
    openai_path: str | None = "/v1"


APIS = (
    Api(
        provider="openai",
        base_urls={"OPENAI_BASE_URL": "/v1", "OPENAI_API_BASE": "/v1"},
        keys=("OPENAI_API_KEY",),
    ),
    Api(
        provider="anthropic",
        base_urls={"ANTHROPIC_BASE_URL": "", "ANTHROPIC_API_BASE": ""},
        keys=("ANTHROPIC_API_KEY",),
        other_credentials=("ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN"),
        openai_path=None,
    ),
    Api(
        provider="gcp.gemini",
        base_urls={"GOOGLE_GEMINI_BASE_URL": ""},
        keys=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        openai_path="/v1beta/openai",
    ),
    Api(provider="aigateway", keys=("AIGATEWAY_API_KEY",)),
    Api(
        provider="azure.ai.openai",
        base_urls={"AZURE_OPENAI_ENDPOINT": "", "AZURE_API_BASE": ""},
        keys=("AZURE_OPENAI_API_KEY", "AZURE_API_KEY"),
        openai_path="/openai/v1",
    ),
    Api(
        provider="azure.ai.inference",
        base_urls={"AZURE_AI_API_BASE": ""},
        keys=("AZURE_AI_API_KEY", "AZURE_INFERENCE_CREDENTIAL"),
    ),
    Api(provider="cerebras", base_urls={"CEREBRAS_BASE_URL": ""}, keys=("CEREBRAS_API_KEY",)),
    Api(
        provider="cohere",
        base_urls={"CO_API_URL": ""},
        keys=("CO_API_KEY", "COHERE_API_KEY"),
        openai_path="/compatibility/v1",
    ),
    Api(provider="deepseek", base_urls={"DEEPSEEK_API_BASE": "/v1"}, keys=("DEEPSEEK_API_KEY",)),
    Api(
        provider="fireworks",
        base_urls={"FIREWORKS_BASE_URL": "", "FIREWORKS_API_BASE": "/inference/v1"},
        keys=("FIREWORKS_API_KEY",),
        openai_path="/inference/v1",
    ),
    Api(
        provider="groq",
        base_urls={"GROQ_BASE_URL": "", "GROQ_API_BASE": "/openai/v1"},
        keys=("GROQ_API_KEY",),
        openai_path="/openai/v1",
    ),
    Api(
        provider="mistral_ai",
        base_urls={"MISTRAL_BASE_URL": "/v1", "MISTRAL_API_BASE": "/v1"},
        keys=("MISTRAL_API_KEY",),
    ),
    Api(
        provider="openrouter",
        base_urls={"OPENROUTER_API_BASE": "/api/v1"},
        keys=("OPENROUTER_API_KEY",),
        openai_path="/api/v1",
    ),
    Api(
        provider="perplexity",
        base_urls={"PERPLEXITY_BASE_URL": ""},
        keys=("PERPLEXITY_API_KEY", "PPLX_API_KEY"),
        openai_path="",
    ),
    Api(provider="together", base_urls={"TOGETHER_BASE_URL": "/v1"}, keys=("TOGETHER_API_KEY",)),
    Api(provider="x_ai", base_urls={"XAI_API_BASE": "/v1"}, keys=("XAI_API_KEY",)),
)
API_KEYS = {api.provider: api.keys for api in APIS}
"""By provider, the variables that may hold its key."""

_OPENAI, _ANTHROPIC = APIS[:2]
_SPEAK_BOTH = {"aigateway", "openrouter"}
_OPENAI_ENDS = ("/chat/completions", "/responses", "/embeddings", "/completions", "/models")
_ANTHROPIC_ENDS = ("/v1/messages",)


def base_urls(url: str, upstream: Upstream) -> dict[str, str]:
    """The variables that lead clients to `url`, where this upstream's API is served.

    Only clients of that API are led there: those of another would find nothing they know.

    >>> from replayproxy.address import parse_upstream
    >>> base_urls("http://127.0.0.1:1", parse_upstream("https://api.anthropic.com"))
    {'ANTHROPIC_BASE_URL': 'http://127.0.0.1:1', 'ANTHROPIC_API_BASE': 'http://127.0.0.1:1'}
    >>> base_urls("http://127.0.0.1:1", parse_upstream("https://gw.example/llm/v1"))
    ... # doctest: +NORMALIZE_WHITESPACE
    {'OPENAI_BASE_URL': 'http://127.0.0.1:1/llm/v1', 'OPENAI_API_BASE': 'http://127.0.0.1:1/llm/v1',
     'ANTHROPIC_BASE_URL': 'http://127.0.0.1:1/llm', 'ANTHROPIC_API_BASE': 'http://127.0.0.1:1/llm'}
    """
    provider = provider_of(upstream.host)
    own = next((api for api in APIS if api.provider == provider), None)
    openai_path = own.openai_path if own else "/v1"
    prefix = upstream.path.removesuffix(openai_path or "/v1")
    found: dict[str, str] = {}
    if openai_path is not None:
        found |= dict.fromkeys(_OPENAI.base_urls, url + (upstream.path or openai_path))
    speaking = (_ANTHROPIC,) if own is None or provider in _SPEAK_BOTH else ()
    for api in (*speaking, own):
        if api and api is not _OPENAI:
            found |= {name: url + prefix + path for name, path in api.base_urls.items()}
    return found


def replayed_base_urls(url: str, recorded: Sequence[tuple[str, str]]) -> dict[str, str]:
    """The variables that lead clients of any API to `url`, where a cassette is replayed.

    All of them: a client that were not led here would ask the real API.

    Args:
        recorded: hosts and paths that the cassette has, the commonest first: the
            base URL that they were recorded through is theirs again.

    >>> urls = replayed_base_urls("http://h", [("openrouter.ai", "/api/v1/chat/completions")])
    >>> urls["OPENAI_BASE_URL"], urls["ANTHROPIC_BASE_URL"], urls["MISTRAL_BASE_URL"]
    ('http://h/api/v1', 'http://h', 'http://h/v1')
    """
    found = {name: url + path for api in APIS for name, path in api.base_urls.items()}
    for api, ends in ((_OPENAI, _OPENAI_ENDS), (_ANTHROPIC, _ANTHROPIC_ENDS)):
        if (base := _base_of(recorded, ends)) is not None:
            found |= dict.fromkeys(api.base_urls, url + base)
    return found


def more_base_urls(variable: str) -> tuple[str, ...]:
    """The other variables that want the very URL that this one has.

    >>> more_base_urls("OPENAI_BASE_URL"), more_base_urls("MY_BASE_URL")
    (('OPENAI_API_BASE',), ())
    """
    for api in APIS:
        if (path := api.base_urls.get(variable)) is not None:
            return tuple(n for n, p in api.base_urls.items() if p == path and n != variable)
    return ()


def placeholder_keys(
    recorded: Sequence[tuple[str, str]], inherited: Mapping[str, str]
) -> dict[str, str]:
    """A key for the SDKs that insist on one, where none is set.

    Only for APIs of the cassette: many apps choose their provider by the keys there are.

    >>> recorded = [("api.groq.com", "/openai/v1/chat/completions")]
    >>> placeholder_keys(recorded, {})
    {'OPENAI_API_KEY': 'sk-replayproxy', 'GROQ_API_KEY': 'sk-replayproxy'}
    >>> placeholder_keys(recorded, {"GROQ_API_KEY": "gsk-1", "OPENAI_API_KEY": "sk-1"})
    {}
    """
    providers = {provider_of(host) for host, _ in recorded}
    if _base_of(recorded, _OPENAI_ENDS) is not None:
        providers.add(_OPENAI.provider)
    if _base_of(recorded, _ANTHROPIC_ENDS) is not None:
        providers.add(_ANTHROPIC.provider)
    return {
        api.keys[0]: PLACEHOLDER_KEY
        for api in APIS
        if api.provider in providers
        and not any(inherited.get(name) for name in (*api.keys, *api.other_credentials))
    }


def _base_of(recorded: Sequence[tuple[str, str]], ends: Sequence[str]) -> str | None:
    """The path of the base URL that such requests went through; None: there are none."""
    found = (path.removesuffix(end) for _, path in recorded for end in ends if path.endswith(end))
    return next(found, None)
