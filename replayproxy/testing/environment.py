"""The environment variables by which clients find the cassette: for the test, and its children."""

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from replayproxy.environment import PLACEHOLDER_KEY, more_base_urls
from replayproxy.testing.settings import NamedUpstream

_MORE_URLS = {"gemini": ("GOOGLE_GEMINI_BASE_URL",)}
_MORE_KEYS = {"gemini": ("GOOGLE_API_KEY",)}
_LOOPBACK = "127.0.0.1,localhost"

_lock = threading.Lock()
_layers: list[dict[str, str]] = []
_before: dict[str, str | None] = {}
"""What we have set, and what was there; None: nothing."""


def variables(
    urls: Mapping[str, str], *, live: bool, inherited: Mapping[str, str]
) -> dict[str, str]:
    """What to set.

    Args:
        urls: base URLs by the name of their upstream.
        live: keys that are set stay what they are.
        inherited: what is set without us.

    >>> variables({"my-llm": "http://127.0.0.1:1/v1"}, live=False, inherited={})["MY_LLM_API_KEY"]
    'sk-replayproxy'
    """
    found: dict[str, str] = {}
    for name, url in urls.items():
        start = _start(name)
        variable = f"{start}_BASE_URL"
        more = (*more_base_urls(variable), *_MORE_URLS.get(name, ()))
        found |= dict.fromkeys((variable, *more), url)
        for key in (f"{start}_API_KEY", *_MORE_KEYS.get(name, ())):
            if not live or not inherited.get(key):  # clients want one, even where servers don't
                found[key] = PLACEHOLDER_KEY
    for name in ("NO_PROXY", "no_proxy"):  # a proxy of the user's is not on the way to us
        found[name] = ",".join(filter(None, (inherited.get(name), _LOOPBACK)))
    return found


def api_key(upstream: NamedUpstream, *, live: bool, inherited: Mapping[str, str]) -> str:
    """The key for a client: the real one only if it is really asked."""
    name = f"{_start(upstream.name)}_API_KEY"
    return (inherited.get(name) if live else None) or PLACEHOLDER_KEY


def secrets(upstreams: tuple[NamedUpstream, ...], inherited: Mapping[str, str]) -> set[str]:
    """The real keys, which must not stand in a cassette."""
    names = [f"{_start(upstream.name)}_API_KEY" for upstream in upstreams]
    names += [name for upstream in upstreams for name in _MORE_KEYS.get(upstream.name, ())]
    return {value for name in names if len(value := inherited.get(name, "")) >= 16}


def inherited() -> dict[str, str]:
    """The environment as it is without us."""
    with _lock:
        ours = {name: value for name, value in _before.items() if value is not None}
        return {n: v for n, v in os.environ.items() if n not in _before} | ours


@contextmanager
def applied(found: Mapping[str, str]) -> Iterator[None]:
    """Set them for the length of a `with` block.

    Blocks may overlap in any order, as fixtures of several scopes do: the one that began
    last counts, and after the last of them all is as it was.
    """
    layer = dict(found)
    with _lock:
        for name in layer:
            _before.setdefault(name, os.environ.get(name))
        _layers.append(layer)
        os.environ.update(layer)
    try:
        yield
    finally:
        with _lock:
            _layers[:] = [other for other in _layers if other is not layer]
            for name in layer:
                _put_back(name)


def _put_back(name: str) -> None:
    value = next((layer[name] for layer in reversed(_layers) if name in layer), None)
    if value is None:
        value = _before.pop(name)
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


def _start(name: str) -> str:
    return name.upper().replace("-", "_")
