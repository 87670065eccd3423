"""The environment variables by which clients find us: pure, but for the file of authorities."""

from replayproxy.environment.apis import (
    API_KEYS,
    PLACEHOLDER_KEY,
    base_urls,
    more_base_urls,
    placeholder_keys,
    replayed_base_urls,
)
from replayproxy.environment.proxying import authority_variables, proxy_variables
from replayproxy.environment.spelling import FORMATS, spelled

__all__ = [
    "API_KEYS",
    "FORMATS",
    "PLACEHOLDER_KEY",
    "authority_variables",
    "base_urls",
    "more_base_urls",
    "placeholder_keys",
    "proxy_variables",
    "replayed_base_urls",
    "spelled",
]
